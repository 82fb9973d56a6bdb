import { limits } from '../../core/limits.ts'
import { onNetworkChange } from '#wrtc'
import type { Path, StreamInfo } from '../../core/types.ts'

const { lookAgainMs } = limits.relay

/** What is asked of a session. */
export interface Relayed {
  readonly info: Pick<StreamInfo, 'path' | 'onPath'>
  /** Aborts when it can have no more use for a path. */
  readonly over: AbortSignal
  /** Waits for this too before it is closed. */
  hold(work: Promise<void>): void
}

/**
 * While a session has no better path than the relay's, looks for a direct one: soon, for the first try may have lost too much,
 * and then more and more seldom, for the network may be another one by then, and at once when it is known to be. `look` is one
 * introduction, and aborts with its signal.
 */
export function seekBetterPath(session: Relayed, look: (signal: AbortSignal) => Promise<void>): void {
  if (session.over.aborted) return
  let looks = 0
  let isLooking = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const plan = () => {
    clearTimeout(timer)
    if (session.over.aborted || isLooking || session.info.path !== 'relay') return
    timer = setTimeout(lookOnce, lookAgainMs[Math.min(looks, lookAgainMs.length - 1)])
  }
  const lookOnce = () => {
    looks += 1
    isLooking = true
    const looking = look(session.over)
      .catch(() => undefined)
      .finally(() => {
        isLooking = false
        plan()
      })
    session.hold(looking)
  }
  const beginAnew = () => {
    looks = 0
    plan()
  }
  const stops = [session.info.onPath?.(beginAnew), onNetworkChange(beginAnew)]
  session.over.addEventListener(
    'abort',
    () => {
      clearTimeout(timer)
      for (const stop of stops) stop?.()
    },
    { once: true },
  )
  plan()
}

/** Whether there is one: no path at all is none. */
export function isBetterThanRelay(path: Path | undefined): boolean {
  return path === 'direct' || path === 'turn'
}
