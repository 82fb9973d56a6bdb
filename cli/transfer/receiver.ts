import type { Connection } from '../../core/connection.ts'
import { equalBytes, toBase64, view } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import {
  receiveOver,
  refuseOn,
  type ConsideredOffer,
  type IncomingOptions,
  type Summary,
} from './incoming.ts'
import { receiverCodec, type ReceiverMessage } from './messages.ts'
import { Outbox } from './outbox.ts'
import { reasonOf, Refusal } from './transfer-error.ts'

export interface ReceiverOptions extends Pick<IncomingOptions, 'folder' | 'mostBytes' | 'report'> {
  /** Asks whether to take an offer of a peer; absent: everything is taken. */
  readonly ask?: ((peer: string, offer: ConsideredOffer, signal: AbortSignal) => Promise<boolean>) | undefined
}

interface Visit {
  readonly from: Uint8Array<ArrayBuffer>
  readonly connection: Connection
  /** Resolves when nothing of it is left. */
  readonly over: Promise<unknown>
}

/** Takes files from one sender at a time; another is told to come again. */
export class Receiver {
  /** The first transfer that came to its end, or why there can be none. */
  readonly first: Promise<Summary>
  readonly #options: ReceiverOptions
  #resolveFirst: (summary: Summary) => void = () => undefined
  #rejectFirst: (error: Error) => void = () => undefined
  #visit: Visit | undefined
  /** What the last offer that was taken consists of: a sender who comes back with the rest of it is expected. */
  #taken: ReadonlySet<string> = new Set()

  constructor(options: ReceiverOptions) {
    this.#options = options
    this.first = new Promise((resolve, reject) => {
      ;[this.#resolveFirst, this.#rejectFirst] = [resolve, reject]
    })
    this.first.catch(() => undefined)
  }

  /** A peer has connected. Resolves when it has gone. */
  async meet(connection: Connection): Promise<void> {
    const { remote } = connection
    if (remote === undefined) {
      return connection.abort(
        new MultiserverError('AUTH_REFUSED', 'files are taken from peers that prove a key'),
      )
    }
    const from = view(Uint8Array.from(remote))
    const before = this.#visit
    if (before !== undefined && !equalBytes(before.from, from)) return sendAway(connection)
    // The same sender again: it knows that its old connection is dead, and this side may not yet.
    before?.connection.abort(new MultiserverError('ABORTED', 'the sender has connected anew'))
    const over = this.#serve(connection, from, before)
    const visit: Visit = { from, connection, over }
    this.#visit = visit
    await over
    if (this.#visit === visit) this.#visit = undefined
  }

  /** Gives up what is under way; what has come stays for a later attempt. */
  async leave(reason: Error): Promise<void> {
    this.#visit?.connection.abort(reason)
    await this.#visit?.over
  }

  async #serve(connection: Connection, from: Visit['from'], before: Visit | undefined): Promise<void> {
    const { folder, mostBytes, report } = this.#options
    const peer = toBase64(from)
    await before?.over
    report({ event: 'connected', peer })
    let isAccepted = false
    const consent = async (offer: ConsideredOffer, signal: AbortSignal) => {
      isAccepted = await this.#consent(peer, offer, signal)
      return isAccepted
    }
    try {
      const summary = await receiveOver(connection, { folder, from, mostBytes, consent, report })
      // All of it is dealt with: whatever comes next is new, also under the same names.
      this.#taken = new Set()
      report({ event: 'finished', ...summary })
      this.#resolveFirst(summary)
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) return report({ event: 'lost', why: reasonOf(thrown) })
      report({ event: 'refused', code: thrown.code, why: thrown.message })
      // Of this machine's disk, which says so itself, and not of what anybody may claim in an offer.
      if (isAccepted && thrown.cause !== undefined) this.#rejectFirst(thrown)
    }
  }

  async #consent(peer: string, offer: ConsideredOffer, signal: AbortSignal): Promise<boolean> {
    const { ask, report } = this.#options
    const files = offer.placements.length
    const { bytes, folders } = offer
    report({ event: 'offered', peer, files, bytes, folders })
    const keys = offer.placements.map(({ file }) =>
      JSON.stringify([peer, folders, file.size, file.modified, file.executable, file.name]),
    )
    const isExpected = keys.every((key) => this.#taken.has(key))
    if (!isExpected && ask !== undefined && !(await ask(peer, offer, signal))) return false
    if (!isExpected) this.#taken = new Set(keys)
    report({ event: 'accepted' })
    return true
  }
}

async function sendAway(connection: Connection): Promise<void> {
  const outbox = new Outbox<ReceiverMessage>(connection, receiverCodec, { type: 'alive' })
  try {
    await refuseOn(connection, outbox, new Refusal('BUSY', 'another transfer is under way'))
  } finally {
    outbox.stop()
  }
}
