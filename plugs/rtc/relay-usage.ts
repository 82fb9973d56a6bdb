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
  /** Of earlier circuits that drew from the same account. */
  #beforeBytes = 0
  #usedBytes = 0
  #begunAt: number | undefined
  #isNear = false
  #limit: MultiserverError | undefined
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

  /** RELAY_LIMIT, once the relay has ended the circuit for that. */
  get limit(): MultiserverError | undefined {
    return this.#limit
  }

  /**
   * Goes on from an earlier circuit of the same session. Whoever is granted fewer bytes than then has drawn them from one
   * account with it, so that the warning is of the whole, and is not said again.
   */
  follow(earlier: RelayUsage): void {
    if (this.#bytes >= earlier.#bytes) return
    this.#beforeBytes = earlier.#beforeBytes + earlier.#usedBytes
    this.#isNear = earlier.#isNear
    this.add(0)
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
    const before = this.#beforeBytes
    if (before + this.#usedBytes >= (before + this.#bytes) * warnShare) this.#warn('bytes')
  }

  /** The relay closed it for that, or it is over for any other reason. */
  end({ isLimit }: { isLimit: boolean }): void {
    clearTimeout(this.#timer)
    if (!isLimit) return
    this.#limit = this.#error('has ended the circuit: it had all it may have')
    this.#onLimit(this.#limit, true)
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
