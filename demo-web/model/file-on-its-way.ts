import { signal, type ReadonlySignal } from '@preact/signals'
import { OutgoingFile } from '../../cli/demo/outgoing-file.ts'
import { isOver, type Transfer, type TransferState } from '../../cli/demo/transfer.ts'
import type { IncomingFile } from '../../cli/demo/incoming-file.ts'
import { ReceivedFile } from './received-file.ts'

export interface FileProgress {
  readonly state: TransferState
  /** Bytes that the receiver has. */
  readonly moved: number
  readonly why: string | undefined
  readonly sha256: string | undefined
}

/** A transfer as the page shows it: told again only as often as eyes can follow. */
export class FileOnItsWay {
  readonly direction: Transfer['direction']
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly received: ReceivedFile | undefined
  readonly #transfer: IncomingFile | OutgoingFile
  readonly #progress = signal<FileProgress>({ state: 'offered', moved: 0, why: undefined, sha256: undefined })
  #shownAt = 0

  constructor(transfer: IncomingFile | OutgoingFile) {
    this.#transfer = transfer
    this.direction = transfer.direction
    this.name = transfer.name
    this.size = transfer.size
    transfer.onChange = () => this.#show()
    this.received = transfer instanceof OutgoingFile ? undefined : new ReceivedFile(transfer)
    this.#show()
  }

  get progress(): ReadonlySignal<FileProgress> {
    return this.#progress
  }

  accept(): void {
    this.received?.accept()
  }

  /** Does not want it, or not any more. */
  stop(): void {
    if (this.#transfer instanceof OutgoingFile) this.#transfer.cancel()
    else this.received?.refuse()
  }

  discard(): void {
    this.received?.discard()
  }

  #show(): void {
    const { state, moved, why, sha256 } = this.#transfer
    const now = performance.now()
    const isSame = state === this.#progress.value.state && !isOver(this.#transfer)
    if (isSame && now - this.#shownAt < showEveryMs) return
    this.#shownAt = now
    this.#progress.value = { state, moved, why, sha256 }
  }
}

const showEveryMs = 100
