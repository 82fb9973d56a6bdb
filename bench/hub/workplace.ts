import type { Registration } from '../../plugs/rtc/registration.ts'
import type { HubClient, TestKeys } from './hub-client.ts'

/** What a worker holds from one task to the next. */
export class Workplace {
  readonly peers: RegisteredPeer[] = []
  /** Of `peers`, those that do not read. */
  readonly frozen: RegisteredPeer[] = []
  readonly registrations: Registration[] = []
  /** When one of them was registered, Unix milliseconds. */
  readonly registeredAt: number[] = []
  closeRtcPair: (() => Promise<number[]>) | undefined
}

export interface RegisteredPeer {
  client: HubClient
  keys: TestKeys
}

/** Runs `job` for 0 … `times` - 1, `atOnce` at a time. */
export async function inLanes(
  times: number,
  atOnce: number,
  job: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < times) await job(next++)
  }
  await Promise.all(Array.from({ length: Math.min(times, atOnce) }, lane))
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
