import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../../core/bytes.ts'
import { chunkFrame, messageFrame } from './frames.ts'
import { demoLimits } from './protocol.ts'
import { isOver, type Transfer, type TransferState } from './transfer.ts'

/** What a file is read from: a `File` of a page, or anything else. */
export interface FileSource {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** The bytes from `start` up to `end`. */
  read(start: number, end: number): Promise<Uint8Array>
}

export interface OutgoingFileOptions {
  readonly id: number
  readonly source: FileSource
  /** Whether everyone is offered the same. */
  readonly room: boolean
  readonly write: (frame: Uint8Array) => Promise<void>
}

/** Sends a file: offers it, waits for the consent, and keeps little on the way, so that chat gets through. */
export class OutgoingFile implements Transfer {
  readonly direction = 'outgoing'
  readonly name: string
  readonly size: number
  state: TransferState = 'offered'
  moved = 0
  sha256: string | undefined
  why: string | undefined
  onChange: (() => void) | undefined
  readonly #id: number
  readonly #source: FileSource
  readonly #write: (frame: Uint8Array) => Promise<void>
  #sent = 0
  #wake: () => void = () => undefined

  constructor({ id, source, room, write }: OutgoingFileOptions) {
    this.#id = id
    this.#source = source
    this.#write = write
    this.name = source.name
    this.size = source.size
    const name = source.name.slice(-demoLimits.fileNameCharacters)
    write(messageFrame({ type: 'offer', id, name, size: source.size, room })).catch(this.#failed)
  }

  /** This side does not want to any more. */
  cancel(): void {
    if (isOver(this)) return
    const why = 'the sender stopped it'
    this.fail(why)
    this.#write(messageFrame({ type: 'withdraw', id: this.#id, why })).catch(() => undefined)
  }

  /** The receiver wants it. */
  accepted(): boolean {
    if (this.state !== 'offered') return isOver(this)
    this.#change('moving')
    this.#send().catch(this.#failed)
    return true
  }

  /** The receiver has so much; false when that can't be. */
  progressed(received: number): boolean {
    if (isOver(this)) return true
    if (received < this.moved || received > this.#sent) return false
    this.moved = received
    this.#wake()
    this.onChange?.()
    return true
  }

  /** The receiver has all, with this SHA-256. */
  received(theirs: string): boolean {
    if (isOver(this)) return true
    if (this.sha256 === undefined) return false
    this.moved = this.size
    if (theirs === this.sha256) this.#change('verified')
    else this.fail('it arrived damaged: the SHA-256 differs')
    return true
  }

  fail(why: string): void {
    if (isOver(this)) return
    this.why = why
    this.#change('failed')
    this.#wake()
  }

  async #send(): Promise<void> {
    const hash = sha256.create()
    while (this.#sent < this.size && !isOver(this)) {
      const end = Math.min(this.#sent + demoLimits.chunkBytes, this.size)
      const bytes = await this.#source.read(this.#sent, end)
      if (bytes.length !== end - this.#sent) throw new Error('the file has changed while it was read')
      hash.update(bytes)
      await this.#room(end)
      if (isOver(this)) return
      this.#sent = end
      await this.#write(chunkFrame(this.#id, bytes))
    }
    if (isOver(this)) return
    this.sha256 = toHex(hash.digest())
    await this.#write(messageFrame({ type: 'done', id: this.#id, sha256: this.sha256 }))
  }

  async #room(end: number): Promise<void> {
    while (end - this.moved > demoLimits.unacknowledgedBytes && !isOver(this)) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #change(state: TransferState): void {
    this.state = state
    this.onChange?.()
  }

  #failed = (thrown: unknown): void => {
    if (isOver(this)) return
    const why = thrown instanceof Error ? thrown.message : 'it could not be read'
    this.fail(why)
    this.#write(messageFrame({ type: 'withdraw', id: this.#id, why: 'the sender could not read it' })).catch(
      () => undefined,
    )
  }
}
