import { setText } from './dom.ts'

/** A screen reader needs some seconds for a sentence, and its user a pause. */
const quietMs = 10_000
/** When there is nothing new but the numbers. */
const repeatMs = 60_000

/** Tells a screen reader what changed: a new verdict soon, new figures once a minute, nothing within ten seconds. */
export class Announcer {
  readonly #place: HTMLElement
  #verdict = ''
  #saidAtMs = -Infinity

  constructor(place: HTMLElement) {
    this.#place = place
  }

  say(verdict: string, figures: string): void {
    const waitMs = verdict === this.#verdict ? repeatMs : quietMs
    const nowMs = Date.now()
    if (nowMs < this.#saidAtMs + waitMs) return
    this.#verdict = verdict
    this.#saidAtMs = nowMs
    setText(this.#place, `${verdict} ${figures}`)
  }
}
