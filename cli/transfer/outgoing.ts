import type { Connection } from '../../core/connection.ts'
import { toHex } from '../../core/bytes.ts'
import { toError } from '../../core/errors.ts'
import type { Report } from './events.ts'
import { frameHeaderBytes, FrameReader } from './frames.ts'
import { isGoneCode, receiverCodec, senderCodec, transferVersion, type SenderMessage } from './messages.ts'
import { Offer, type Item, type Outcome } from './offer.ts'
import { Outbox } from './outbox.ts'
import { OpenSource, type SourceFile } from './source-file.ts'
import type { Sources } from './source-files.ts'
import { TransferError } from './transfer-error.ts'

export interface OutgoingOptions {
  readonly sources: Sources
  /** Hears of bytes of files that were handed to the connection. */
  readonly onMoved: (bytes: number) => void
  /** Hears of each empty folder, by its name, that the receiver can't make. */
  readonly onFolderSkipped: (name: string) => void
  /** Hears of each file once, when nothing more will happen to it. */
  readonly onSettled: (file: SourceFile, outcome: Outcome) => void
  readonly report: Report
}

/**
 * Offers what there is over `connection` and sends what the receiver wants of it. Resolves once each file is settled and the
 * connection has ended in peace.
 *
 * @throws TransferError when the receiver refuses; whatever broke the connection, which is aborted then
 */
export async function sendOver(connection: Connection, options: OutgoingOptions): Promise<void> {
  const { sources, onMoved, onSettled, onFolderSkipped, report } = options
  const { files, emptyFolders } = sources
  const offer = new Offer(files, { emptyFolders, onFolderSkipped, onSettled, report })
  const outbox = new Outbox<SenderMessage>(connection, senderCodec, { type: 'alive' })
  let failure: Error | undefined
  const giveUp = (thrown: unknown) => {
    failure ??= thrown instanceof TransferError ? thrown : toError(thrown, 'CONNECTION_LOST')
    connection.abort(failure)
    offer.fail(failure)
  }
  try {
    // Both to their end, so that no file is open afterwards.
    await Promise.all([
      listen(connection, offer).catch(giveUp),
      send(connection, new Sender(offer, outbox, { onMoved, report })).catch(giveUp),
    ])
  } finally {
    outbox.stop()
  }
  // After the last word about the last file a line may break as it likes.
  if (failure !== undefined && !offer.isSettled) throw failure
  await connection.close()
}

/** Up to the receiver's end, which follows on this side's. */
async function listen(connection: Connection, offer: Offer): Promise<void> {
  const frames = new FrameReader(connection, receiverCodec)
  while ((await frames.peek()) !== null || !offer.isSettled) offer.hear(await frames.message())
}

async function send(connection: Connection, sender: Sender): Promise<void> {
  await sender.run()
  await connection.end()
}

class Sender {
  readonly #offer: Offer
  readonly #outbox: Outbox<SenderMessage>
  readonly #options: Pick<OutgoingOptions, 'onMoved' | 'report'>

  constructor(
    offer: Offer,
    outbox: Outbox<SenderMessage>,
    options: Pick<OutgoingOptions, 'onMoved' | 'report'>,
  ) {
    this.#offer = offer
    this.#outbox = outbox
    this.#options = options
  }

  async run(): Promise<void> {
    const { wants } = this.#offer
    await this.#sendOffer()
    for (const name of await this.#offer.foldersToSend()) await this.#outbox.post({ type: 'folder', name })
    for (let want = await wants.take(); want !== null; want = await wants.take()) {
      await this.#sendFile(want.item, want.offset)
    }
  }

  async #sendOffer(): Promise<void> {
    const { items, folders } = this.#offer
    const bytes = items.reduce((sum, { file }) => sum + file.size, 0)
    await this.#outbox.post({ type: 'offer', version: transferVersion, files: items.length, bytes, folders })
    for (const { file } of items) {
      const { name, size, modified, executable } = file
      await this.#outbox.post({ type: 'file', name, size, modified, executable })
    }
  }

  async #sendFile(item: Item, offset: number): Promise<void> {
    let source: OpenSource | undefined
    try {
      source = await OpenSource.open(item.file)
      const from = await this.#agreeOnStart(item, source, offset)
      if (from !== 'skipped') await this.#sendBytes(item, source, from)
    } catch (thrown) {
      if (!(thrown instanceof TransferError) || !isGoneCode(thrown.code)) throw thrown
      await this.#outbox.post({ type: 'gone', file: item.index, code: thrown.code, why: thrown.told })
      this.#offer.lose(item, thrown.code, thrown.message)
    } finally {
      await source?.close()
    }
  }

  /** From where to send: what the receiver has counts if it is the beginning of this file. */
  async #agreeOnStart(item: Item, source: OpenSource, offset: number): Promise<number | 'skipped'> {
    if (offset === 0) return 0
    const sha256 = await source.hashPrefix(offset)
    this.#offer.check(item, offset)
    await this.#outbox.post({ type: 'prefix', file: item.index, sha256 })
    const from = await this.#offer.answer()
    if (from === 0) {
      this.#options.report({
        event: 'restarted',
        name: item.label,
        why: 'what the receiver has of it is something else',
      })
      source.rewind()
    }
    return from
  }

  async #sendBytes(item: Item, source: OpenSource, from: number): Promise<void> {
    const { label: name, file } = item
    const { onMoved, report } = this.#options
    item.stage = 'moving'
    report({ event: 'started', name, size: file.size, from })
    for await (const frame of source.frames()) {
      await this.#outbox.write(frame)
      onMoved(frame.length - frameHeaderBytes)
      item.moved += frame.length - frameHeaderBytes
      report({ event: 'progress', name, size: file.size, at: from + item.moved })
    }
    const sha256 = await source.digest()
    item.sha256 = toHex(sha256)
    item.stage = 'sent'
    await this.#outbox.post({ type: 'end', file: item.index, sha256 })
  }
}
