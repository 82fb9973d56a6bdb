import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { HubMessage } from '../../core/hub-protocol.ts'

const { warnShare } = limits.relay

/** What the hub has given for one introduction: where the circuit is, a token for this end, and how much may pass. */
export type RelayGrant = Pick<Extract<HubMessage, { type: 'relay' }>, 'url' | 'token' | 'limits'>

/** How much of what the hub grants a circuit has used: said when it comes near the end of it, and at the end. */
export class RelayUsage {
  readonly #url: string
  readonly #bytes: number
  readonly #lifeMs: number
  readonly #onLimit: (error: MultiserverError, isOver: boolean) => void
  #usedBytes = 0
  #begunAt: number | undefined
  #isNear = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    { url, limits: told }: RelayGrant,
    onLimit: (error: MultiserverError, isOver: boolean) => void,
  ) {
    this.#url = url
    this.#bytes = positive(told['bytes'])
    this.#lifeMs = positive(told['lifeMs'])
    this.#onLimit = onLimit
  }

  /** For people. */
  figures(): Record<string, number | boolean> {
    const ageMs = this.#begunAt === undefined ? 0 : performance.now() - this.#begunAt
    return {
      bytes: this.#usedBytes,
      limitBytes: this.#bytes,
      ageMs,
      limitMs: this.#lifeMs,
      isNearLimit: this.#isNear,
    }
  }

  begin(): void {
    this.#begunAt = performance.now()
    const nearMs = this.#lifeMs * warnShare
    if (nearMs < limits.timer.longestMs) this.#timer = setTimeout(() => this.#warn('time'), nearMs)
  }

  /** Of both directions, as the relay counts. */
  add(bytes: number): void {
    this.#usedBytes += bytes
    if (!this.#isNear && this.#usedBytes >= this.#bytes * warnShare) this.#warn('bytes')
  }

  /** The relay closed it for that, or it is over for any other reason. */
  end({ isLimit }: { isLimit: boolean }): void {
    clearTimeout(this.#timer)
    if (isLimit) this.#onLimit(this.#error('has ended the circuit: it had all it may have'), true)
  }

  #warn(of: 'time' | 'bytes'): void {
    if (this.#isNear) return
    this.#isNear = true
    const share = `${warnShare * 100} % of the ${of} it grants`
    this.#onLimit(this.#error(`will soon end the circuit: ${share} are used up`), false)
  }

  #error(what: string): MultiserverError {
    return new MultiserverError('RELAY_LIMIT', `the relay at ${this.#url} ${what}`, { address: this.#url })
  }
}

/** A hub may say anything, or nothing. */
function positive(told: number | undefined): number {
  return told !== undefined && told > 0 ? told : Infinity
}
