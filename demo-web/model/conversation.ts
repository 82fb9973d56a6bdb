import { batch, signal } from '@preact/signals'
import type { FileOnItsWay } from './file-on-its-way.ts'

/** What was said in one place: with one peer, or in the room. */
export class Conversation {
  readonly log = signal<readonly LogEntry[]>([])
  readonly unread = signal(0)
  /** Whether somebody looks at it. */
  isInSight = false
  #lastId = 0

  add(said: Said): void {
    const entry = { ...said, id: ++this.#lastId, at: new Date() }
    batch(() => {
      const entries = [...this.log.value, entry]
      for (const oldest of entries.splice(0, entries.length - mostEntries)) {
        if (oldest.kind === 'file') oldest.file.discard()
      }
      this.log.value = entries
      if (!this.isInSight && said.from !== undefined && said.from !== 'me') this.unread.value += 1
    })
  }

  note(text: string): void {
    this.add({ kind: 'note', text })
  }
}

/** Whose it is: a name, or this page's own. */
type From = string

export type Said =
  | { readonly kind: 'note'; readonly text: string; readonly from?: undefined }
  | { readonly kind: 'text'; readonly text: string; readonly from: From; readonly over: string }
  | { readonly kind: 'file'; readonly file: FileOnItsWay; readonly from: From; readonly over: string }

export type LogEntry = Said & { readonly id: number; readonly at: Date }

/** Beyond it the oldest entries of a conversation go. */
const mostEntries = 500
