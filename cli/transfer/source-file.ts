import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { copy } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'
import { dataFrame, frameHeaderBytes } from './frames.ts'
import { transferLimits } from './limits.ts'
import { becauseOf, TransferError } from './transfer-error.ts'

/** A file as it was when it was offered. */
export interface SourceFile {
  /** Where it is. */
  readonly path: string
  /** What the receiver is told: relative, with `/`. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970, whole. */
  readonly modified: number
  /** By its owner. */
  readonly executable: boolean
}

/** An open {@link SourceFile}, read once from the front to the end and hashed on the way. To be closed. */
export class OpenSource {
  readonly #handle: FileHandle
  readonly #file: SourceFile
  #hash: Hash = createHash('sha256')
  #at = 0

  /** @throws TransferError CHANGED, UNREADABLE */
  static async open(file: SourceFile): Promise<OpenSource> {
    const handle = await open(file.path).catch(unreadable(file))
    const source = new OpenSource(handle, file)
    try {
      await source.checkUnchanged()
      return source
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private constructor(handle: FileHandle, file: SourceFile) {
    this.#handle = handle
    this.#file = file
  }

  /** The SHA-256 of the first `length` bytes; what is read next comes behind them. */
  async hashPrefix(length: number): Promise<Bytes> {
    const memory = new Uint8Array(transferLimits.dataBytes)
    while (this.#at < length) await this.#read(memory.subarray(0, length - this.#at))
    return copy(this.#hash.copy().digest())
  }

  /** Back to the first byte. */
  rewind(): void {
    this.#hash = createHash('sha256')
    this.#at = 0
  }

  /** The rest of the file in DATA frames. Each is read while the one before is used; its memory is used again after that. */
  async *frames(): AsyncGenerator<Uint8Array, void, undefined> {
    const memory = () => new Uint8Array(frameHeaderBytes + transferLimits.dataBytes)
    let [now, then] = [memory(), memory()]
    let reading = this.#readFrame(now)
    try {
      for (let frame = await reading; frame !== null; frame = await reading) {
        ;[now, then] = [then, now]
        reading = this.#readFrame(now)
        reading.catch(() => undefined)
        yield frame
      }
    } finally {
      // The file is closed next.
      await reading.catch(() => undefined)
    }
  }

  /** Of the whole file, once it has been read. @throws TransferError CHANGED */
  async digest(): Promise<Bytes> {
    await this.checkUnchanged()
    return copy(this.#hash.digest())
  }

  async checkUnchanged(): Promise<void> {
    const { size, mtimeMs } = await this.#handle.stat().catch(unreadable(this.#file))
    if (size !== this.#file.size || wholeMs(mtimeMs) !== this.#file.modified) throw changed(this.#file)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #readFrame(memory: Uint8Array): Promise<Uint8Array | null> {
    const left = this.#file.size - this.#at
    if (left === 0) return null
    const content = memory.subarray(frameHeaderBytes, frameHeaderBytes + left)
    return dataFrame(memory, await this.#read(content))
  }

  /** @returns how many bytes, at least one */
  async #read(memory: Uint8Array): Promise<number> {
    const { bytesRead } = await this.#handle
      .read(memory, 0, memory.length, this.#at)
      .catch(unreadable(this.#file))
    if (bytesRead === 0) throw changed(this.#file)
    this.#hash.update(memory.subarray(0, bytesRead))
    this.#at += bytesRead
    return bytesRead
  }
}

function changed({ name }: SourceFile): TransferError {
  return new TransferError('CHANGED', `${name} has changed since it was offered`)
}

function unreadable({ name }: SourceFile): (thrown: unknown) => never {
  return (thrown) => {
    throw new TransferError('UNREADABLE', ...becauseOf(thrown, `${name} can not be read`))
  }
}

/** A time of the file system as the protocol has it. */
export function wholeMs(mtimeMs: number): number {
  return Math.max(0, Math.floor(mtimeMs))
}
