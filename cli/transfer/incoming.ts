import type { Connection } from '../../core/connection.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { Report } from './events.ts'
import type { Folder, Placement } from './folder.ts'
import { FrameReader, protocolError } from './frames.ts'
import { IncomingFile } from './incoming-file.ts'
import { readFolders, readOffer, type IncomingOffer } from './incoming-offer.ts'
import { receiverCodec, senderCodec } from './messages.ts'
import type { ReceiverMessage, SenderMessage, SkipCode } from './messages.ts'
import { Outbox } from './outbox.ts'
import { safePath } from './safe-path.ts'
import { TakenNames } from './taken-names.ts'
import { becauseOf, Refusal, systemCode } from './transfer-error.ts'

export interface IncomingOptions {
  readonly folder: Folder
  /** The key that the sender has proved. */
  readonly from: Uint8Array<ArrayBuffer>
  /** Of all files of an offer. */
  readonly mostBytes: number
  /** Whether to take what is offered; `signal` aborts when the sender has gone, and the answer counts no more. */
  readonly consent: (offer: ConsideredOffer, signal: AbortSignal) => Promise<boolean>
  readonly report: Report
}

/** What somebody may be asked about. */
export interface ConsideredOffer {
  readonly placements: readonly Placement[]
  readonly bytes: number
  /** How many folders with nothing in them. */
  readonly folders: number
}

export interface Summary {
  readonly done: number
  /** Folders among them. */
  readonly skipped: number
  /** Bytes of files that came over this connection. */
  readonly moved: number
}

/**
 * Takes the files that are offered over `connection`. Resolves once the sender has ended in peace, with nothing open.
 *
 * @throws Refusal when this side refuses; whatever broke the connection, which is aborted then
 */
export async function receiveOver(connection: Connection, options: IncomingOptions): Promise<Summary> {
  const frames = new FrameReader(connection, senderCodec)
  const outbox = new Outbox<ReceiverMessage>(connection, receiverCodec, { type: 'alive' })
  try {
    const summary = await new Incoming(frames, outbox, options).run()
    await connection.close()
    return summary
  } catch (thrown) {
    const error = asRefusal(thrown)
    if (error instanceof Refusal) await refuseOn(connection, outbox, error)
    else connection.abort(error)
    throw error
  } finally {
    outbox.stop()
  }
}

/** Tells the sender why, and ends. */
export async function refuseOn(
  connection: Connection,
  outbox: Outbox<ReceiverMessage>,
  { code, told: why }: Refusal,
): Promise<void> {
  outbox.post({ type: 'refuse', code, why }).catch(() => undefined)
  await connection.close()
}

class Incoming {
  readonly #frames: FrameReader<SenderMessage>
  readonly #outbox: Outbox<ReceiverMessage>
  readonly #options: IncomingOptions
  #done = 0
  #skipped = 0
  #moved = 0

  constructor(frames: FrameReader<SenderMessage>, outbox: Outbox<ReceiverMessage>, options: IncomingOptions) {
    this.#frames = frames
    this.#outbox = outbox
    this.#options = options
  }

  async run(): Promise<Summary> {
    const { folder, from } = this.#options
    const offer = await readOffer(this.#frames)
    const taken = new TakenNames()
    const placements = await folder.place(offer.files, from, taken)
    this.#checkSize(placements)
    await this.#askForConsent(placements, offer.folders)
    // Whom nobody has agreed to learns nothing of the disk.
    await this.#checkRoom(placements)
    await this.#outbox.post({ type: 'accept', folders: true })
    for (const [index, placement] of placements.entries()) await this.#plan(index, placement)
    await this.#makeFolders(offer, taken)
    for (const [index, placement] of placements.entries()) await this.#take(index, placement)
    if ((await this.#frames.next()) !== null) throw protocolError('more than it offered')
    return { done: this.#done, skipped: this.#skipped, moved: this.#moved }
  }

  #checkSize(placements: readonly Placement[]): void {
    const { mostBytes } = this.#options
    const bytes = sizeOf(placements)
    if (bytes > mostBytes) {
      throw new Refusal('TOO_LARGE', `at most ${mostBytes} bytes are taken, and these are ${bytes}`)
    }
  }

  async #checkRoom(placements: readonly Placement[]): Promise<void> {
    const wanted = placements.reduce(
      (sum, each) => sum + (each.kind === 'skip' ? 0 : each.file.size - each.offset),
      0,
    )
    const room = await this.#options.folder.roomBytes()
    if (wanted <= room) return
    const message = `there is room for ${Math.max(room, 0)} bytes, and not for ${wanted}`
    throw new Refusal('NO_SPACE', message, undefined, 'there is no room for these files')
  }

  /** The sender says nothing now but that it is alive: whatever else comes ends the question. */
  async #askForConsent(placements: readonly Placement[], folders: number): Promise<void> {
    const { consent } = this.#options
    const gone = new AbortController()
    const leave = () => gone.abort(new MultiserverError('CONNECTION_LOST', 'the sender has gone'))
    const next = this.#frames.peek()
    next.then(leave, leave)
    const isWanted = await consent({ placements, bytes: sizeOf(placements), folders }, gone.signal)
    if (gone.signal.aborted) {
      await next
      throw protocolError('something before it was asked')
    }
    if (!isWanted) throw new Refusal('DECLINED', 'these files are not wanted')
  }

  async #plan(file: number, placement: Placement): Promise<void> {
    if (placement.kind === 'skip') await this.#skip(file, placement.label, placement.code, placement.why)
    else await this.#outbox.post({ type: 'want', file, offset: placement.offset })
  }

  async #makeFolders(offer: IncomingOffer, taken: TakenNames): Promise<void> {
    const { folder, report } = this.#options
    const names = await readFolders(this.#frames, offer)
    for (const [index, theirs] of names.entries()) {
      const parts = safePath(theirs)
      const name = parts.join('/')
      const why = await folder.makeFolder(parts, taken)
      if (why === undefined) report({ event: 'made', name })
      else await this.#skip(offer.files.length + index, name, 'BLOCKED', why)
    }
  }

  async #skip(file: number, name: string, code: SkipCode, why: string): Promise<void> {
    await this.#outbox.post({ type: 'skip', file, code, why })
    this.#options.report({ event: 'skipped', name, code, why })
    this.#skipped += 1
  }

  async #take(index: number, placement: Placement): Promise<void> {
    if (placement.kind === 'skip') return
    const { folder, report } = this.#options
    const incoming = new IncomingFile({
      index,
      placement,
      folder,
      report,
      frames: this.#frames,
      outbox: this.#outbox,
    })
    const outcome = await incoming.take()
    this.#moved += incoming.moved
    if (outcome === 'done') this.#done += 1
    else this.#skipped += 1
  }
}

function sizeOf(placements: readonly Placement[]): number {
  return placements.reduce((sum, { file }) => sum + file.size, 0)
}

/** That a disk fails is told to the sender; what the connection says is not. */
function asRefusal(thrown: unknown): Error {
  if (thrown instanceof Refusal || thrown instanceof MultiserverError) return thrown
  const code = systemCode(thrown)
  if (code === undefined) return toError(thrown, 'CONNECTION_LOST')
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new Refusal(isFull ? 'NO_SPACE' : 'FAILED', ...becauseOf(thrown, 'it can not be written'))
}
