import type { StreamInfo } from './types.ts'

const leastBytes = 32 * 1024

/**
 * Calls back after so many milliseconds, and not while the far side goes on taking what was written: then they begin anew. One that takes
 * less than 32 KiB in that time does not: 4 MiB, all that can wait, are given up within 128 of them. Where a transport can't tell what was
 * taken, once is all.
 *
 * @returns a function that ends the wait
 */
export function linger(info: () => StreamInfo | undefined, ms: number, onLate: () => void): () => void {
  const delivered = () => info()?.deliveredBytes ?? 0
  let before = delivered()
  let timer: ReturnType<typeof setTimeout>
  const wait = () => {
    timer = setTimeout(() => {
      const now = delivered()
      if (now - before < leastBytes) return onLate()
      before = now
      wait()
    }, ms)
  }
  wait()
  return () => clearTimeout(timer)
}
