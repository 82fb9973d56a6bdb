import { formatBytes } from '../../cli/demo/text.ts'
import { isOver, type Transfer } from '../../cli/demo/transfer.ts'
import { OutgoingFile } from '../../cli/demo/outgoing-file.ts'
import type { ReceivedFile } from '../received-file.ts'
import { element, setText } from './dom.ts'

/** A file on its way: how far it is, what can be done about it, and at last what it has become. */
export function fileEntry(transfer: Transfer, received: ReceivedFile | undefined): HTMLElement {
  const whose = transfer.direction === 'outgoing' ? 'entry-mine' : 'entry-theirs'
  const bar = element('progress', {
    attributes: { max: '1', 'aria-label': `${transfer.name}: how far it is` },
  })
  const state = element('span', { class: 'file-state', attributes: { 'aria-live': 'off' } })
  const more = element('div', { class: 'row' })
  const title = element('div', {}, [
    element('strong', { text: transfer.name }),
    element('span', { class: 'quiet', text: ` · ${formatBytes(transfer.size)}` }),
  ])
  let shown = ''
  const update = () => {
    bar.value =
      transfer.size === 0 && transfer.state === 'verified' ? 1 : transfer.moved / (transfer.size || 1)
    bar.hidden = transfer.state === 'failed'
    state.dataset['state'] = transfer.state
    setText(state, stateWords(transfer))
    if (shown === transfer.state) return
    shown = transfer.state
    // What is said while it moves would be too much to hear; how it ended is not.
    state.setAttribute('aria-live', isOver(transfer) ? 'polite' : 'off')
    more.replaceChildren(...whatNow(transfer, received))
  }
  transfer.onChange = update
  update()
  return element('li', { class: `entry file ${whose}` }, [title, bar, state, more])
}

function stateWords(transfer: Transfer): string {
  const { direction, state, moved, size, why } = transfer
  switch (state) {
    case 'offered':
      return direction === 'incoming' ? 'Do you want it?' : 'Waiting for the other side to take it…'
    case 'moving': {
      const percent = size === 0 ? 100 : Math.floor((100 * moved) / size)
      return `${percent} % · ${formatBytes(moved)} ${direction === 'incoming' ? 'received' : 'delivered'}`
    }
    case 'verified':
      return `✓ ${direction === 'incoming' ? 'Received' : 'Delivered'}: both ends have the same SHA‑256`
    case 'failed':
      return `✗ ${why ?? 'It failed'}`
  }
}

function whatNow(transfer: Transfer, received: ReceivedFile | undefined): Node[] {
  if (transfer.state === 'verified') return [...saveLink(transfer, received), hashLine(transfer)]
  if (isOver(transfer)) return []
  if (transfer instanceof OutgoingFile) return [button('Stop', () => transfer.cancel())]
  if (received === undefined) return []
  const refuse = button(transfer.state === 'offered' ? 'No' : 'Stop', () => received.refuse())
  return transfer.state === 'offered'
    ? [button('Take it', () => received.accept(), 'primary'), refuse]
    : [refuse]
}

function saveLink({ name }: Transfer, received: ReceivedFile | undefined): Node[] {
  const url = received?.url
  if (url === undefined) return []
  const link = element('a', { class: 'button', text: 'Save', attributes: { href: url, download: name } })
  if (received?.isImage !== true) return [link]
  return [element('img', { attributes: { src: url, alt: `The image ${name}` } }), link]
}

function hashLine({ sha256 }: Transfer): Node {
  return element('code', { class: 'sha256', text: `SHA-256 ${sha256 ?? ''}` })
}

function button(text: string, onClick: () => void, look?: string): HTMLButtonElement {
  return element('button', { class: look, text, attributes: { type: 'button' }, onClick })
}
