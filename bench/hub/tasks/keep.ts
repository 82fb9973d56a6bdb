import { createIdentity, ready } from '../../../core/ed25519.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import { Registration } from '../../../plugs/rtc/registration.ts'
import { inLanes, sleep, type Workplace } from '../workplace.ts'

/**
 * So many peers with the registration of the rtc plug, which comes back by itself when the hub goes. They come `perSecond`
 * at most: faster than the hub lets in, each would be sent away for a while and hold its lane.
 */
export async function keepRegistered(
  place: Workplace,
  { hubUrl, peers, atOnce, perSecond }: { hubUrl: string; peers: number; atOnce: number; perSecond: number },
): Promise<void> {
  await ready()
  const startedAt = performance.now()
  await inLanes(peers, atOnce, async (index) => {
    await sleep(startedAt + (index / perSecond) * 1000 - performance.now())
    const registration = new Registration({
      hubUrl,
      identity: createIdentity(await generateKeys()),
      onIncoming: (channel) => channel.close('busy'),
      onError: () => {},
    })
    place.registrations.push(registration)
    await registration.registered
  })
}

/**
 * Waits until all are registered, at most `withinMs`, looking often; gives the moment at which each was first seen
 * registered, as Unix milliseconds.
 */
export async function registrations(place: Workplace, { withinMs }: { withinMs: number }): Promise<number[]> {
  const moments: number[] = []
  const missing = new Set(place.registrations)
  const until = performance.now() + withinMs
  // First all must have seen that the hub is gone.
  while ([...missing].some(({ isRegistered }) => isRegistered) && performance.now() < until) await sleep(5)
  while (missing.size > 0 && performance.now() < until) {
    for (const registration of missing) {
      if (!registration.isRegistered) continue
      missing.delete(registration)
      moments.push(Date.now())
    }
    await sleep(20)
  }
  return moments
}

export async function release(place: Workplace): Promise<void> {
  await Promise.all(place.registrations.splice(0).map((registration) => registration.close()))
}
