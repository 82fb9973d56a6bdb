import { limits } from '../../core/limits.ts'
import { rebuildCandidate, type CandidateFilter } from './candidates.ts'
import type { CandidateSignal } from './signal-payload.ts'

/** Holds my candidates until they may be sent, and filters them: what must not be dialed is not offered either. */
export class CandidateOutlet {
  readonly #filter: CandidateFilter
  #waiting: CandidateSignal[] = []
  #send: ((signal: CandidateSignal) => Promise<void>) | undefined
  #count = 0
  #isComplete = false

  constructor(filter: CandidateFilter) {
    this.#filter = filter
  }

  /** null: there are no more. */
  add(found: { candidate: string; mid: string } | null): void {
    if (this.#isComplete) return
    if (found === null) {
      this.#isComplete = true
      return this.#pass({ kind: 'candidate', candidate: '', mid: '0' })
    }
    const candidate = rebuildCandidate(found.candidate, this.#filter)
    this.#count += 1
    if (candidate === null || this.#count > limits.signal.candidates) return
    this.#pass({ kind: 'candidate', candidate, mid: found.mid })
  }

  start(send: (signal: CandidateSignal) => Promise<void>): void {
    this.#send = send
    for (const signal of this.#waiting.splice(0)) this.#pass(signal)
  }

  #pass(signal: CandidateSignal): void {
    if (this.#send === undefined) this.#waiting.push(signal)
    else this.#send(signal).catch(() => undefined)
  }
}
