import { describeConnection } from '../../cli/demo/words.ts'
import type { Talk } from '../../cli/demo/talk.ts'
import { byId, element, setText } from './dom.ts'

/** What is known of each open connection to a peer. */
export function showConnections(talks: readonly Talk[]): void {
  const list = byId('connections', HTMLUListElement)
  const count = talks.length === 1 ? 'One connection' : `${talks.length} connections`
  setText(byId('facts-title', HTMLElement), talks.length === 0 ? 'Not connected' : count)
  byId('facts', HTMLDetailsElement).hidden = talks.length === 0
  const kept = new Map([...list.children].map((item) => [cards.get(item), item]))
  list.replaceChildren(...talks.map((talk) => fillCard(kept.get(talk) ?? createCard(talk), talk)))
}

/** Which card is whose: made once for each, so that focus stays on its button. */
const cards = new WeakMap<Element, Talk>()

function createCard(talk: Talk): Element {
  const { transport, proven, encryption, direction } = describeConnection(talk.connection)
  const end = element('button', {
    text: 'End',
    attributes: { type: 'button', 'aria-label': `End ${transport}` },
  })
  end.addEventListener('click', () => {
    end.disabled = true
    void talk.close()
  })
  const card = element('li', { class: 'connection' }, [
    element('div', { class: 'connection-head' }, [element('strong', { text: transport }), end]),
    element('dl', {}, [
      ...fact('Path', element('span', { class: 'path' })),
      ...fact('Direction', element('span', { text: direction })),
      ...fact('Encrypted', element('span', { text: encryption })),
      ...fact('Proven key', element('code', { text: proven })),
    ]),
  ])
  cards.set(card, talk)
  return card
}

function fact(name: string, value: Node): Node[] {
  return [element('dt', { text: name }), element('dd', {}, [value])]
}

/** The path is all that changes. */
function fillCard(card: Element, talk: Talk): Element {
  const path = card.querySelector('.path')
  if (path !== null) setText(path, describeConnection(talk.connection).path)
  return card
}
