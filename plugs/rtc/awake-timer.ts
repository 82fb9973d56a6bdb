import { limits } from '../../core/limits.ts'

const { tickMs } = limits.resume

/**
 * Calls back after `ms` in which this process ran, and returns what stops that. Time counts in ticks: of a sleep, whether
 * of the laptop, of a stopped process or of a frozen page, no more than one of them is counted.
 */
export function startAwakeTimer(ms: number, onElapsed: () => void): () => void {
  let leftMs = ms
  let timer: ReturnType<typeof setTimeout>
  const tick = () => {
    if (leftMs <= 0) return onElapsed()
    const thisMs = Math.min(leftMs, tickMs)
    leftMs -= thisMs
    timer = setTimeout(tick, thisMs)
  }
  tick()
  return () => clearTimeout(timer)
}
