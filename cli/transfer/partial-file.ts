import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { copy } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'
import { dropLeft, isTaken, removeTraces } from './leftovers.ts'
import { transferLimits } from './limits.ts'
import { writeNotes, type Notes } from './notes.ts'
import { notesSuffix, numberedName, partSuffix } from './safe-path.ts'
import { systemCode, TransferError } from './transfer-error.ts'

/** What becomes of a file that has the name of one that comes. */
export type Existing = 'refuse' | 'overwrite' | 'rename'

/** A file that is not complete, open: `NAME.part` with its notes beside it. To be closed, discarded or kept. */
export class PartialFile {
  /** The name that it is to have. */
  readonly #path: string
  readonly #modified: number
  readonly #handle: FileHandle
  #hash: Hash = createHash('sha256')
  #length = 0

  /**
   * From the first byte; what was there from an earlier attempt is dropped.
   *
   * @throws Refusal FAILED when what has one of its two names is nobody's to drop
   */
  static async begin(path: string, notes: Notes, existing: Existing): Promise<PartialFile> {
    await mkdir(dirname(path), { recursive: true })
    await dropLeft(path, notes, existing === 'overwrite')
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
    const handle = await open(path + partSuffix, flags)
    try {
      // Not before: beside what somebody else has made they would say that it is ours.
      await writeNotes(path + notesSuffix, notes)
    } catch (error) {
      await handle.close()
      await rm(path + partSuffix, { force: true })
      throw error
    }
    return new PartialFile(path, notes.modified, handle)
  }

  /** With what is there. */
  static async resume(path: string, notes: Notes): Promise<PartialFile> {
    const handle = await open(path + partSuffix, constants.O_RDWR | constants.O_NOFOLLOW)
    return new PartialFile(path, notes.modified, handle)
  }

  private constructor(path: string, modified: number, handle: FileHandle) {
    this.#path = path
    this.#modified = modified
    this.#handle = handle
  }

  /** Bytes that it counts on. */
  get length(): number {
    return this.#length
  }

  /** Counts on its first `length` bytes, and gives their SHA-256. */
  async hashPrefix(length: number): Promise<Bytes> {
    await hashInto(this.#hash, this.#handle, length)
    this.#length = length
    await this.#handle.truncate(length)
    return copy(this.#hash.copy().digest())
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, this.#length)
      written += bytesWritten
      this.#length += bytesWritten
    }
  }

  /** Of all of it. Nothing is written after that. */
  digest(): Bytes {
    return copy(this.#hash.digest())
  }

  /**
   * Gives it its name, once it is on the disk for good.
   *
   * @param executeBits what is added to its mode
   * @returns where it is
   * @throws TransferError EXISTS when the name is taken meanwhile: it stays as it was
   */
  async keep(existing: Existing, executeBits: number): Promise<string> {
    const modified = new Date(this.#modified)
    if (executeBits !== 0) await this.#addToMode(executeBits)
    await this.#handle.utimes(modified, modified)
    await this.#handle.sync()
    await this.#handle.close()
    const path = await this.#publish(existing)
    await removeTraces(this.#path)
    await syncFolder(dirname(path))
    return path
  }

  /** Leaves it for a later attempt; again is nothing. */
  close(): Promise<void> {
    return this.#handle.close()
  }

  async discard(): Promise<void> {
    await this.#handle.close()
    await removeTraces(this.#path)
  }

  async #addToMode(bits: number): Promise<void> {
    const { mode } = await this.#handle.stat()
    // FAT and some others know no such bits: there it is what it is.
    await this.#handle.chmod((mode & 0o777) | bits).catch(() => undefined)
  }

  async #publish(existing: Existing): Promise<string> {
    const part = this.#path + partSuffix
    if (existing === 'overwrite') {
      await rename(part, this.#path)
      return this.#path
    }
    const mostTries = existing === 'rename' ? transferLimits.renames : 1
    for (let tries = 0; tries < mostTries; tries += 1) {
      const path = tries === 0 ? this.#path : numbered(this.#path, tries)
      if (await moveToFreeName(part, path)) return path
    }
    throw new TransferError('EXISTS', 'a file of that name has come up meanwhile')
  }
}

/** `folder/notes (2).txt` for `folder/notes.txt` and 2. */
export function numbered(path: string, number: number): string {
  return join(dirname(path), numberedName(basename(path), number))
}

/** The SHA-256 of the first `length` bytes of the file at `path`, which is no link. */
export async function hashFile(path: string, length: number): Promise<Bytes> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const hash = createHash('sha256')
    await hashInto(hash, handle, length)
    return copy(hash.digest())
  } finally {
    await handle.close()
  }
}

/** What is missing at the end of the file is missing in the hash. */
async function hashInto(hash: Hash, handle: FileHandle, length: number): Promise<void> {
  const memory = new Uint8Array(transferLimits.dataBytes)
  for (let at = 0; at < length;) {
    const { bytesRead } = await handle.read(memory, 0, Math.min(memory.length, length - at), at)
    if (bytesRead === 0) return
    hash.update(memory.subarray(0, bytesRead))
    at += bytesRead
  }
}

/** False when the name is taken. Unlike a rename, a link does not replace what is there. */
async function moveToFreeName(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    // FAT and some others have no links: there, what comes up between the look and the rename is replaced.
    if (await isTaken(to)) return false
    await rename(from, to)
    return true
  }
}

/** So that the name outlives a crash too. Windows can't, and need not. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path).catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
}
