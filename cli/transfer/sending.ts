import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../../core/connection.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Report } from './events.ts'
import { transferLimits } from './limits.ts'
import type { Outcome } from './offer.ts'
import { sendOver } from './outgoing.ts'
import type { SourceFile } from './source-file.ts'
import type { Sources } from './source-files.ts'
import { reasonOf, TransferError } from './transfer-error.ts'
import type { Summary } from './incoming.ts'

export interface SendingOptions {
  readonly sources: Sources
  readonly dial: () => Promise<Connection>
  /** How long it goes on trying after the last byte that got away, when the connection breaks. */
  readonly retryMs: number
  readonly signal: AbortSignal
  readonly report: Report
}

/**
 * Sends `sources`; when the connection breaks, dials again and goes on where it was. A first dial that fails is the end:
 * most likely the address is wrong.
 *
 * @throws TransferError when the receiver refuses; what the dial, or the connection in the end, failed with
 */
export async function sendFiles(options: SendingOptions): Promise<Summary> {
  return new Sending(options).run()
}

class Sending {
  readonly #options: SendingOptions
  readonly #outcomes = new Map<SourceFile, Outcome>()
  readonly #skippedFolders = new Set<string>()
  #hasConnected = false
  #moved = 0
  #tries = 0
  #progressAt = performance.now()

  constructor(options: SendingOptions) {
    this.#options = options
  }

  async run(): Promise<Summary> {
    const { sources, retryMs, report, signal } = this.#options
    for (;;) {
      try {
        await this.#attempt()
        const outcomes = [...this.#outcomes.values()]
        const done = outcomes.filter((outcome) => outcome === 'done').length
        const skipped = sources.files.length - done + this.#skippedFolders.size
        const summary = { done, skipped, moved: this.#moved }
        report({ event: 'finished', ...summary })
        return summary
      } catch (thrown) {
        if (signal.aborted) throw signal.reason
        if (this.#isFinal(thrown) || performance.now() - this.#progressAt > retryMs) throw thrown
        const againMs = Math.round(this.#backoffMs())
        report({ event: 'lost', why: reasonOf(thrown), againMs })
        await pause(againMs, signal)
      }
    }
  }

  async #attempt(): Promise<void> {
    const { sources, dial, report, signal } = this.#options
    const connection = await dial()
    const stop = () => connection.abort(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    try {
      this.#hasConnected = true
      report({ event: 'connected', peer: connection.address })
      await sendOver(connection, {
        sources: { ...sources, files: sources.files.filter((file) => !this.#outcomes.has(file)) },
        onMoved: (bytes) => {
          this.#moved += bytes
          this.#noteProgress()
        },
        onFolderSkipped: (name) => this.#skippedFolders.add(name),
        onSettled: (file, outcome) => {
          this.#outcomes.set(file, outcome)
          this.#noteProgress()
        },
        report,
      })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #noteProgress(): void {
    this.#progressAt = performance.now()
    this.#tries = 0
  }

  /** Who was connected once can be again: what looks like a refusal may be a line that broke during the handshake. */
  #isFinal(thrown: unknown): boolean {
    if (thrown instanceof TransferError) return thrown.code !== 'BUSY'
    return !(thrown instanceof MultiserverError) || !this.#hasConnected || thrown.code === 'PROTOCOL'
  }

  #backoffMs(): number {
    const bound = transferLimits.shortestBackoffMs * 2 ** this.#tries
    this.#tries += 1
    return Math.random() * Math.min(bound, transferLimits.longestBackoffMs)
  }
}

/** @throws what `signal` aborts with */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => {
    throw signal.reason
  })
}
