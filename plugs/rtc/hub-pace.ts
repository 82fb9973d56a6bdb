import { TokenBucket } from '../../core/token-bucket.ts'

/** Of what the hub takes: a network bunches messages, and pings count too. */
const share = 0.9

interface Waiting {
  readonly bytes: number
  readonly send: () => void
}

/** Keeps to the rates that a hub has told: it reads more slowly who is over them, and closes who stays so for ten seconds. */
export class HubPace {
  #messages: TokenBucket | undefined
  #bytes: TokenBucket | undefined
  /** Oldest first. */
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** As `welcome` tells them: what is not told, or is no rate, is no limit. */
  keepTo(told: Readonly<Record<string, number>>): void {
    this.#messages = bucketOf(told['messagesPerSecond'], told['messagesBurst'])
    this.#bytes = bucketOf(told['bytesPerSecond'], told['bytesBurst'])
  }

  /** Calls `send` when it is its turn, in order, at once where that is now. */
  take(bytes: number, send: () => void): void {
    this.#waiting.push({ bytes, send })
    this.#waitingBytes += bytes
    if (this.#waiting.length === 1) this.#goOn()
  }

  /** Nothing waits any more, nor will. */
  end(): void {
    this.#messages = undefined
    this.#bytes = undefined
    this.#goOn()
  }

  #goOn(): void {
    clearTimeout(this.#timer)
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const now = performance.now()
      const waitMs = Math.max(this.#messages?.waitMs(1, now) ?? 0, this.#bytes?.waitMs(next.bytes, now) ?? 0)
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#goOn(), waitMs)
        return
      }
      this.#messages?.take(1, now)
      this.#bytes?.take(next.bytes, now)
      this.#waiting.shift()
      this.#waitingBytes -= next.bytes
      next.send()
    }
  }
}

function bucketOf(perSecond: number | undefined, burst: number | undefined): TokenBucket | undefined {
  if (perSecond === undefined || burst === undefined) return undefined
  if (!(perSecond > 0 && burst > 0)) return undefined
  return new TokenBucket({ perSecond: perSecond * share, burst: burst * share }, performance.now())
}
