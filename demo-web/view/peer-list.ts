import { shortKey } from '../../cli/demo/words.ts'
import type { Peer } from '../company.ts'
import { byId, element, setText } from './dom.ts'

/** The peers that are there. Rows stay what they are while they change, so that focus stays too. */
export class PeerList {
  readonly #list = byId('peers', HTMLUListElement)
  readonly #empty = byId('peers-empty', HTMLElement)
  readonly #rows = new Map<string, Row>()
  readonly #onChoose: (peer: Peer) => void

  constructor(onChoose: (peer: Peer) => void) {
    this.#onChoose = onChoose
  }

  update(peer: Peer, isChosen: boolean): void {
    const row = this.#rows.get(peer.key)
    if (!peer.isInLobby && peer.talks.length === 0 && !isChosen) {
      row?.item.remove()
      this.#rows.delete(peer.key)
    } else {
      fillRow(row ?? this.#addRow(peer), peer, isChosen)
    }
    this.#empty.hidden = this.#rows.size > 0
  }

  #addRow(peer: Peer): Row {
    const row = createRow(() => this.#onChoose(peer))
    this.#rows.set(peer.key, row)
    this.#list.append(row.item)
    return row
  }
}

interface Row {
  readonly item: HTMLLIElement
  readonly button: HTMLButtonElement
  readonly icon: HTMLElement
  readonly name: HTMLElement
  readonly about: HTMLElement
  readonly pill: HTMLElement
}

function createRow(onClick: () => void): Row {
  const icon = element('span', { class: 'icon', attributes: { 'aria-hidden': 'true' } })
  const name = element('strong')
  const about = element('span', { class: 'quiet' })
  const pill = element('span', { class: 'pill' })
  const words = element('span', { class: 'peer-words' }, [name, about])
  const button = element('button', { class: 'peer', attributes: { type: 'button' }, onClick }, [
    icon,
    words,
    pill,
  ])
  return { item: element('li', {}, [button]), button, icon, name, about, pill }
}

function fillRow({ button, icon, name, about, pill }: Row, peer: Peer, isChosen: boolean): void {
  icon.className = `icon icon-${peer.kind}`
  setText(name, peer.name)
  setText(about, `${peer.kind} · ${shortKey(peer.key)}`)
  setText(pill, pillText(peer))
  pill.classList.toggle('pill-full', peer.unread > 0)
  button.dataset['key'] = peer.key
  button.setAttribute('aria-current', String(isChosen))
}

function pillText({ unread, talks, isInLobby }: Peer): string {
  if (unread > 0) return `${unread} new`
  if (talks.length > 0) return 'connected'
  return isInLobby ? 'connect' : 'gone'
}
