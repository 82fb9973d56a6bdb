import { shortKey } from '../../cli/demo/words.ts'
import type { LogEntry, Peer } from '../company.ts'
import { showConnections } from './connection-list.ts'
import { byId, element, isNarrow, setText } from './dom.ts'
import { fileEntry } from './file-entry.ts'

export interface ConversationEvents {
  onSay(peer: Peer, text: string): void
  onFile(peer: Peer, file: File): void
  onConnect(peer: Peer): void
  /** On a narrow screen, where the conversation is a page of its own. */
  onBack(): void
}

/** The talk with the chosen peer: its connections, what was said, and where to say more. */
export class Conversation {
  readonly #main = byId('talk', HTMLElement)
  readonly #log = byId('log', HTMLOListElement)
  readonly #text = byId('compose-text', HTMLInputElement)
  readonly #file = byId('compose-file', HTMLInputElement)
  readonly #connect = byId('talk-connect', HTMLButtonElement)
  readonly #events: ConversationEvents
  /** Files keep what was made for them: they change while they are not in sight. */
  readonly #made = new WeakMap<LogEntry, HTMLElement>()
  #peer: Peer | undefined
  #isAtEnd = true

  constructor(events: ConversationEvents) {
    this.#events = events
    byId('compose', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      this.#say()
    })
    this.#file.addEventListener('change', () => {
      for (const file of this.#file.files ?? []) this.#send(file)
      this.#file.value = ''
    })
    this.#connect.addEventListener('click', () => this.#peer && events.onConnect(this.#peer))
    byId('talk-back', HTMLButtonElement).addEventListener('click', () => events.onBack())
    this.#takeDroppedFiles()
    // A keyboard on the screen, more connections: what was said last stays in sight.
    new ResizeObserver(() => this.#isAtEnd && this.#toEnd()).observe(this.#log)
    this.#log.addEventListener('scroll', () => (this.#isAtEnd = this.#isEndInSight()), { passive: true })
  }

  get peer(): Peer | undefined {
    return this.#peer
  }

  /** Shows another peer, from the beginning. */
  open(peer: Peer): void {
    this.#peer = peer
    byId('talk-empty', HTMLElement).hidden = true
    byId('talk-open', HTMLElement).hidden = false
    // An old conversation is no news.
    this.#log.setAttribute('aria-live', 'off')
    this.#log.replaceChildren(...peer.log.map((entry) => this.#elementOf(entry)))
    if (isNarrow()) byId('facts', HTMLDetailsElement).open = false
    this.update()
    this.#toEnd()
    requestAnimationFrame(() => this.#log.setAttribute('aria-live', 'polite'))
  }

  focus(): void {
    const target = this.#text.disabled ? this.#connect : this.#text
    target.focus()
  }

  /** Shows what has changed about the peer. */
  update(): void {
    const peer = this.#peer
    if (peer === undefined) return
    const isConnected = peer.talks.length > 0
    setText(byId('talk-name', HTMLElement), peer.name)
    setText(byId('talk-about', HTMLElement), `${peer.kind} · ${shortKey(peer.key)}`)
    byId('talk-icon', HTMLElement).className = `icon icon-${peer.kind}`
    this.#connect.hidden = isConnected || peer.address === ''
    for (const control of byId('compose', HTMLFormElement).elements)
      control.toggleAttribute('disabled', !isConnected)
    byId('compose-file-label', HTMLElement).hidden = !isConnected
    this.#text.placeholder = isConnected ? `Write to ${peer.name}` : 'Not connected'
    showConnections(peer.talks)
  }

  add(entry: LogEntry): void {
    this.#log.append(this.#elementOf(entry))
    // The oldest went from the log too.
    if (this.#log.childElementCount > (this.#peer?.log.length ?? 0)) this.#log.firstElementChild?.remove()
    if (this.#isAtEnd) this.#toEnd()
  }

  #elementOf(entry: LogEntry): HTMLElement {
    const made = this.#made.get(entry) ?? logEntry(entry)
    this.#made.set(entry, made)
    return made
  }

  #isEndInSight(): boolean {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80
  }

  #toEnd(): void {
    this.#isAtEnd = true
    this.#log.scrollTop = this.#log.scrollHeight
  }

  #say(): void {
    const text = this.#text.value.trim()
    if (text === '' || this.#peer === undefined) return
    this.#text.value = ''
    this.#isAtEnd = true
    this.#events.onSay(this.#peer, text)
  }

  #send(file: File): void {
    if (this.#peer !== undefined && this.#peer.talks.length > 0) this.#events.onFile(this.#peer, file)
  }

  #takeDroppedFiles(): void {
    const setDropping = (isDropping: boolean) => this.#main.toggleAttribute('data-dropping', isDropping)
    this.#main.addEventListener('dragover', (event) => {
      if (event.dataTransfer?.types.includes('Files') !== true) return
      event.preventDefault()
      setDropping(true)
    })
    this.#main.addEventListener('dragleave', () => setDropping(false))
    this.#main.addEventListener('drop', (event) => {
      event.preventDefault()
      setDropping(false)
      for (const file of event.dataTransfer?.files ?? []) this.#send(file)
    })
  }
}

function logEntry(entry: LogEntry): HTMLElement {
  switch (entry.kind) {
    case 'note':
      return element('li', { class: 'entry entry-note', text: entry.text })
    case 'mine':
    case 'theirs': {
      const time = entry.at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
      return element('li', { class: `entry entry-${entry.kind}` }, [
        element('span', { text: entry.text }),
        element('small', { text: `${time} over ${entry.over}` }),
      ])
    }
    case 'file':
      return fileEntry(entry.transfer, entry.received)
  }
}
