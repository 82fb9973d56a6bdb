import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

export interface DelaySeconds {
  p50: number
  p99: number
  max: number
}

const resolutionMs = 10
/** Prometheus commonly asks at least this often; who asks more often, or twice, sees the same. */
const windowMs = 15_000
const nanoseconds = 1e9

/** How late the event loop is. */
export class EventLoop {
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  readonly #timer: NodeJS.Timeout
  #last: DelaySeconds | undefined

  constructor() {
    this.#histogram.enable()
    this.#timer = setInterval(() => this.#turnWindow(), windowMs).unref()
  }

  /** Of the last whole window; of the one that runs when there was none yet. */
  delaySeconds(): DelaySeconds {
    return this.#last ?? this.#read()
  }

  /** How long it was not idle, since the process started. */
  activeSeconds(): number {
    return performance.eventLoopUtilization().active / 1000
  }

  close(): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }

  #turnWindow(): void {
    this.#last = this.#read()
    this.#histogram.reset()
  }

  /** The histogram has the intervals between looks: what they are longer than they should be is the delay. */
  #read(): DelaySeconds {
    if (this.#histogram.count === 0) return { p50: 0, p99: 0, max: 0 }
    const late = (value: number) => Math.max(0, value / nanoseconds - resolutionMs / 1000)
    return {
      p50: late(this.#histogram.percentile(50)),
      p99: late(this.#histogram.percentile(99)),
      max: late(this.#histogram.max),
    }
  }
}
