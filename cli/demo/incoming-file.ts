import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../../core/bytes.ts'
import { demoLimits, type Message } from './protocol.ts'
import { isOver, type Transfer, type TransferState } from './transfer.ts'
import type { Bytes } from '../../core/types.ts'

export interface IncomingFileOptions {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly room: boolean
  readonly post: (message: Message) => void
}

/** A file that the peer offers: `accept` it or `refuse` it. */
export class IncomingFile implements Transfer {
  readonly direction = 'incoming'
  readonly name: string
  readonly size: number
  /** Whether everyone is offered the same. */
  readonly room: boolean
  state: TransferState = 'offered'
  moved = 0
  sha256: string | undefined
  why: string | undefined
  onChange: (() => void) | undefined
  readonly #id: number
  readonly #post: (message: Message) => void
  readonly #hash = sha256.create()
  #sink: ((bytes: Bytes) => void) | undefined
  #told = 0

  constructor({ id, name, size, room, post }: IncomingFileOptions) {
    this.#id = id
    this.#post = post
    this.name = name
    this.size = size
    this.room = room
  }

  /** Lets it come: `sink` gets the chunks in order, and may be absent for those who only want to see it arrive. */
  accept(sink?: (bytes: Bytes) => void): void {
    if (this.state !== 'offered') return
    this.#sink = sink
    this.#post({ type: 'accept', id: this.#id })
    this.#change('moving')
  }

  /** Does not want it, at any time before it is complete. */
  refuse(why: string): void {
    if (isOver(this)) return
    this.#post({ type: 'refuse', id: this.#id, why })
    this.fail(why)
  }

  /** The next bytes; false when there can't be any. */
  receive(bytes: Bytes): boolean {
    // What was on its way when this side refused.
    if (isOver(this)) return true
    if (this.state !== 'moving' || this.moved + bytes.length > this.size) return false
    this.#hash.update(bytes)
    this.#sink?.(bytes)
    this.moved += bytes.length
    if (this.moved - this.#told >= demoLimits.progressBytes || this.moved === this.size) {
      this.#told = this.moved
      this.#post({ type: 'progress', id: this.#id, received: this.moved })
    }
    this.onChange?.()
    return true
  }

  /** The sender is through, and says what it should be. */
  done(theirs: string): boolean {
    if (isOver(this)) return true
    if (this.state !== 'moving' || this.moved !== this.size) return false
    this.sha256 = toHex(this.#hash.digest())
    this.#post({ type: 'received', id: this.#id, sha256: this.sha256 })
    if (this.sha256 === theirs) this.#change('verified')
    else this.fail('it arrived damaged: the SHA-256 differs')
    return true
  }

  fail(why: string): void {
    if (isOver(this)) return
    this.why = why
    this.#sink = undefined
    this.#change('failed')
  }

  #change(state: TransferState): void {
    this.state = state
    this.onChange?.()
  }
}
