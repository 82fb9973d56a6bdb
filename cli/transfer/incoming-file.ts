import { equalBytes, toHex } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'
import type { Report } from './events.ts'
import type { Folder, Placement } from './folder.ts'
import { protocolError, type FrameReader } from './frames.ts'
import type { GoneCode, ReceiverMessage, SenderMessage, SkipCode } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { removeLeftovers } from './leftovers.ts'
import { hashFile, PartialFile } from './partial-file.ts'
import { TransferError } from './transfer-error.ts'
import type { Outcome } from './offer.ts'

interface IncomingFileOptions {
  readonly index: number
  readonly placement: WantedPlacement
  readonly folder: Folder
  readonly report: Report
  readonly frames: FrameReader<SenderMessage>
  readonly outbox: Outbox<ReceiverMessage>
}

type WantedPlacement = Exclude<Placement, { kind: 'skip' }>

/** A file that was wanted, until it is on the disk or will never be. */
export class IncomingFile {
  readonly #index: number
  readonly #placement: WantedPlacement
  readonly #folder: Folder
  readonly #report: Report
  readonly #frames: FrameReader<SenderMessage>
  readonly #outbox: Outbox<ReceiverMessage>
  /** Bytes of it that came over this connection. */
  moved = 0
  /** Why the sender can't go on. */
  #gone: GoneCode | undefined

  constructor(options: IncomingFileOptions) {
    this.#index = options.index
    this.#placement = options.placement
    this.#folder = options.folder
    this.#report = options.report
    this.#frames = options.frames
    this.#outbox = options.outbox
  }

  /** Whatever it rejects with, what has come stays for a later attempt. */
  take(): Promise<Outcome> {
    const placement = this.#placement
    switch (placement.kind) {
      case 'begin':
        if (placement.drops !== undefined) this.#tellRestart(placement.drops)
        return this.#begin()
      case 'resume':
        return this.#resume(placement)
      case 'compare':
        return this.#compare(placement)
    }
  }

  async #begin(): Promise<Outcome> {
    const { path, notes } = this.#placement
    return this.#fill(await PartialFile.begin(path, notes, this.#folder.existing))
  }

  async #resume({ path, notes, offset, isOthers }: Extract<Placement, { kind: 'resume' }>): Promise<Outcome> {
    const theirs = await this.#readPrefix()
    if (theirs === null) return 'skipped'
    const partial = await PartialFile.resume(path, notes)
    const isBeginning = await whileOpen(partial, async () =>
      equalBytes(await partial.hashPrefix(offset), theirs),
    )
    if (isBeginning) {
      await this.#go(offset)
      return this.#fill(partial)
    }
    await partial.close()
    if (isOthers && this.#folder.existing !== 'overwrite') {
      return this.#skip('BLOCKED', `${this.#placement.label}.part is what another sender left`)
    }
    this.#tellRestart('what is there is not its beginning')
    await this.#go(0)
    return this.#begin()
  }

  /** The file that has the name: the same, then nothing is to be done. */
  async #compare(placement: Extract<Placement, { kind: 'compare' }>): Promise<Outcome> {
    const { standing, otherwise, file, path, notes } = placement
    // Of an empty file there is no prefix to be asked for.
    if (file.size > 0) {
      const theirs = await this.#readPrefix()
      if (theirs === null) return 'skipped'
      if (!equalBytes(await hashFile(standing, file.size), theirs)) {
        if (otherwise.kind === 'skip') return this.#skip(otherwise.code, otherwise.why)
        if (otherwise.drops !== undefined) this.#tellRestart(otherwise.drops)
        await this.#go(0)
        return this.#begin()
      }
      await this.#go(file.size)
    }
    const sha256 = await this.#readEnd()
    if (sha256 === null) return 'skipped'
    await removeLeftovers(path, notes)
    return this.#done(standing, sha256)
  }

  async #fill(partial: PartialFile): Promise<Outcome> {
    return whileOpen(partial, async () => {
      const sha256 = await this.#readBytes(partial)
      if (sha256 === null) {
        // A disk that can't be read now may be read another time; what has changed is of no use any more.
        await (this.#gone === 'CHANGED' ? partial.discard() : partial.close())
        return 'skipped'
      }
      if (!equalBytes(partial.digest(), sha256)) {
        await partial.discard()
        return this.#skip('DAMAGED', 'its SHA-256 is another than the sender says')
      }
      try {
        const { existing, executeBits } = this.#folder
        const path = await partial.keep(existing, this.#placement.file.executable ? executeBits : 0)
        return await this.#done(path, sha256)
      } catch (thrown) {
        if (!(thrown instanceof TransferError) || thrown.code !== 'EXISTS') throw thrown
        return this.#skip('EXISTS', thrown.message)
      }
    })
  }

  /** Up to its end: the SHA-256 that it is to have, or null when the sender can't go on. */
  async #readBytes(partial: PartialFile): Promise<Bytes | null> {
    const { label: name, file } = this.#placement
    this.#report({ event: 'started', name, size: file.size, from: partial.length })
    while (partial.length < file.size) {
      const frame = await this.#frames.next()
      if (frame?.kind !== 'data') return this.#readGone(frame?.message)
      if (partial.length + frame.bytes.length > file.size) throw protocolError('more of a file than there is')
      await partial.write(frame.bytes)
      this.moved += frame.bytes.length
      this.#report({ event: 'progress', name, size: file.size, at: partial.length })
    }
    return this.#readEnd()
  }

  async #readPrefix(): Promise<Bytes | null> {
    const message = await this.#frames.message()
    if (message.type !== 'prefix') return this.#readGone(message)
    this.#checkIndex(message.file)
    return message.sha256
  }

  async #readEnd(): Promise<Bytes | null> {
    const message = await this.#frames.message()
    if (message.type !== 'end') return this.#readGone(message)
    this.#checkIndex(message.file)
    return message.sha256
  }

  /** Always null: the sender can't send what it offered. */
  #readGone(message: SenderMessage | undefined): null {
    if (message === undefined)
      throw new MultiserverError('TRUNCATED', 'the sender ended in the middle of a file')
    if (message.type !== 'gone') throw protocolError('something out of turn')
    this.#checkIndex(message.file)
    const { code, why } = message
    this.#gone = code
    this.#report({ event: 'skipped', name: this.#placement.label, code, why })
    return null
  }

  #checkIndex(index: number): void {
    if (index !== this.#index) throw protocolError('something about another file')
  }

  #go(offset: number): Promise<void> {
    return this.#outbox.post({ type: 'go', file: this.#index, offset })
  }

  async #done(path: string, sha256: Bytes): Promise<Outcome> {
    await this.#outbox.post({ type: 'done', file: this.#index })
    this.#report({
      event: 'done',
      name: this.#placement.label,
      size: this.#placement.file.size,
      moved: this.moved,
      sha256: toHex(sha256),
      as: this.#folder.nameOf(path),
    })
    return 'done'
  }

  async #skip(code: SkipCode, why: string): Promise<Outcome> {
    await this.#outbox.post({ type: 'skip', file: this.#index, code, why })
    this.#report({ event: 'skipped', name: this.#placement.label, code, why })
    return 'skipped'
  }

  #tellRestart(why: string): void {
    this.#report({ event: 'restarted', name: this.#placement.label, why })
  }
}

/** Closes it when `work` fails, and only then. */
async function whileOpen<T>(partial: PartialFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await partial.close()
    throw error
  }
}
