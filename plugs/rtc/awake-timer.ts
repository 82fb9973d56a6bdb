import { limits } from '../../core/limits.ts'

const { tickMs } = limits.resume

export interface AwakeTimer {
  /** What is left of the time. */
  readonly leftMs: number
  stop(): void
}

/**
 * Calls back after `ms` in which this process ran. Time counts in ticks: of a sleep, whether of the laptop, of a stopped
 * process or of a frozen page, no more than one of them is counted.
 */
export function startAwakeTimer(ms: number, onElapsed: () => void): AwakeTimer {
  /** Behind the tick that is under way. */
  let behindMs = ms
  let tickEndsAt = 0
  let timer: ReturnType<typeof setTimeout>
  const tick = () => {
    if (behindMs <= 0) return onElapsed()
    const thisMs = Math.min(behindMs, tickMs)
    behindMs -= thisMs
    tickEndsAt = performance.now() + thisMs
    timer = setTimeout(tick, thisMs)
  }
  tick()
  return {
    get leftMs() {
      return behindMs + Math.max(tickEndsAt - performance.now(), 0)
    },
    stop: () => clearTimeout(timer),
  }
}
