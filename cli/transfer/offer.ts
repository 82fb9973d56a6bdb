import type { Report } from './events.ts'
import { protocolError } from './frames.ts'
import { Mailbox } from './mailbox.ts'
import type { GoneCode, ReceiverMessage, SkipCode } from './messages.ts'
import { safePath } from './safe-path.ts'
import type { SourceFile } from './source-file.ts'
import { TransferError } from './transfer-error.ts'

/** How a file ended: on the receiver's disk, or not. */
export type Outcome = 'done' | 'skipped'

/** One file of an offer, as far as its sender knows. */
export interface Item {
  readonly index: number
  readonly file: SourceFile
  /** Its name as it may be printed. */
  readonly label: string
  /** What the receiver may say of it depends on that. */
  stage: 'offered' | 'wanted' | 'checking' | 'moving' | 'sent' | 'settled'
  /** Bytes that were handed to the connection. */
  moved: number
  /** Of the whole file in hex, once it is sent. */
  sha256: string
}

interface OfferOptions {
  /** Names of folders with nothing in them. */
  readonly emptyFolders: readonly string[]
  /** Hears of each of those once at most, when the receiver can't make it. */
  readonly onFolderSkipped: (name: string) => void
  readonly onSettled: (file: SourceFile, outcome: Outcome) => void
  readonly report: Report
}

/** The sender's side of the conversation, without the bytes: what the receiver says is obeyed only where it may be said. */
export class Offer {
  readonly items: readonly Item[]
  /** Files to send, in order. */
  readonly wants = new Mailbox<{ readonly item: Item; readonly offset: number }>()
  readonly #options: OfferOptions
  /** Whether folders are taken, once the offer is. */
  readonly #consents = new Mailbox<'folders' | 'files'>()
  /** Those whose fate the receiver may still tell. */
  readonly #folders = new Set<number>()
  readonly #answers = new Mailbox<number | 'skipped'>()
  #isAccepted = false
  /** Files that the receiver has said something about. */
  #planned = 0
  #unsettled: number
  #checking: { readonly item: Item; readonly offset: number } | undefined

  constructor(files: readonly SourceFile[], options: OfferOptions) {
    this.items = files.map((file, index): Item => {
      const label = safePath(file.name).join('/')
      return { index, file, label, stage: 'offered', moved: 0, sha256: '' }
    })
    this.#unsettled = files.length
    this.#options = options
  }

  /** How many there are with nothing in them. */
  get folders(): number {
    return this.#options.emptyFolders.length
  }

  /** Whether nothing more can happen to any file. */
  get isSettled(): boolean {
    return this.#unsettled === 0
  }

  /** @throws TransferError when the receiver refuses; PROTOCOL for what has no place here */
  hear(message: ReceiverMessage): void {
    switch (message.type) {
      case 'alive':
        return
      case 'accept':
        if (this.#isAccepted) throw protocolError('a second consent')
        this.#isAccepted = true
        this.#consents.put(message.folders === true ? 'folders' : 'files')
        return this.#options.report({ event: 'accepted' })
      case 'refuse':
        throw new TransferError(message.code, `the receiver refuses: ${message.why}`)
      case 'want':
        return this.#want(this.#nextPlanned(message.file), message.offset)
      case 'skip':
        return this.#skip(message.file, message.code, message.why)
      case 'go':
        return this.#go(this.#itemIn(message.file, 'checking'), message.offset)
      case 'done':
        return this.#done(this.#itemIn(message.file, 'sent'))
    }
  }

  /** The folders to be told to the receiver, which has agreed: none to one that does not know of them. */
  async foldersToSend(): Promise<readonly string[]> {
    const { emptyFolders, report } = this.#options
    if (emptyFolders.length === 0) return []
    if ((await this.#consents.take()) === 'folders') {
      for (const index of emptyFolders.keys()) this.#folders.add(this.items.length + index)
      return emptyFolders
    }
    report({
      event: 'left-out',
      folders: emptyFolders.length,
      why: 'the receiver is of a version that makes no empty folders',
    })
    return []
  }

  /** The prefix of `item` is sent next. */
  check(item: Item, offset: number): void {
    item.stage = 'checking'
    this.#checking = { item, offset }
  }

  /** What the receiver says to it: from where to send, or not at all. */
  async answer(): Promise<number | 'skipped'> {
    return (await this.#answers.take()) ?? 'skipped'
  }

  /** The receiver has been told that `item` is gone. */
  lose(item: Item, code: GoneCode, why: string): void {
    this.#settleSkipped(item, code, why)
  }

  fail(error: Error): void {
    this.#consents.fail(error)
    this.wants.fail(error)
    this.#answers.fail(error)
  }

  #want(item: Item, offset: number): void {
    if (offset > item.file.size) throw protocolError('an offset behind the end of a file')
    item.stage = 'wanted'
    this.wants.put({ item, offset })
  }

  /** Instead of a `want`, of a `go` or of a `done`; of a folder, where something is in its way. */
  #skip(index: number, code: SkipCode, why: string): void {
    if (this.#folders.delete(index)) return this.#skipFolder(index - this.items.length, code, why)
    const item = this.items[index]
    if (item?.stage === 'checking') {
      this.#checking = undefined
      this.#answers.put('skipped')
    } else if (item?.stage !== 'sent') this.#nextPlanned(index)
    if (item !== undefined) this.#settleSkipped(item, code, why)
  }

  #skipFolder(index: number, code: SkipCode, why: string): void {
    const name = this.#options.emptyFolders[index] ?? ''
    this.#options.report({ event: 'skipped', name: safePath(name).join('/'), code, why })
    this.#options.onFolderSkipped(name)
  }

  #go(item: Item, offset: number): void {
    if (offset !== 0 && offset !== this.#checking?.offset)
      throw protocolError('an offset that was not asked about')
    this.#checking = undefined
    item.stage = 'moving'
    this.#answers.put(offset)
  }

  #done(item: Item): void {
    const { label: name, file, moved, sha256 } = item
    this.#options.report({ event: 'done', name, size: file.size, moved, sha256 })
    this.#settle(item, 'done')
  }

  #settleSkipped(item: Item, code: SkipCode | GoneCode, why: string): void {
    this.#options.report({ event: 'skipped', name: item.label, code, why })
    this.#settle(item, 'skipped')
  }

  #settle(item: Item, outcome: Outcome): void {
    item.stage = 'settled'
    this.#unsettled -= 1
    this.#options.onSettled(item.file, outcome)
    if (this.isSettled) this.wants.end()
  }

  /** The next file in order, once the offer is accepted. */
  #nextPlanned(index: number): Item {
    const item = this.items[index]
    if (!this.#isAccepted || item === undefined || index !== this.#planned)
      throw protocolError('a file out of turn')
    this.#planned += 1
    return item
  }

  #itemIn(index: number, stage: Item['stage']): Item {
    const item = this.items[index]
    if (item?.stage !== stage) throw protocolError('an answer to what was not said')
    return item
  }
}
