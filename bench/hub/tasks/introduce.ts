import { HubClient, HubClosedError, newId, testKeys } from '../hub-client.ts'
import { count, type Tally } from '../figures.ts'
import { inLanes, sleep, type Workplace } from '../workplace.ts'
import type { HubAddress } from './register.ts'

/** As long as an offer of a data channel, sealed and encoded. */
const offer = 'o'.repeat(1_400)

export interface Introduced {
  /** From `introduce` until the answer to the offer is there, milliseconds each. */
  latencies: number[]
  refusals: Tally
}

/**
 * Honest introductions: `pairs` of a client and a server peer, each introduced `perSecond` times a second; the
 * client offers, the server answers, the client closes.
 */
export async function introduce(
  _place: Workplace,
  {
    serverAt,
    pairs,
    seconds,
    perSecond,
    ...at
  }: HubAddress & {
    /** Where the server peers are, if it is another node of a cluster. */
    serverAt?: HubAddress | undefined
    pairs: number
    seconds: number
    perSecond: number
  },
): Promise<Introduced> {
  const seen: Introduced = { latencies: [], refusals: {} }
  const until = performance.now() + seconds * 1000
  await inLanes(pairs, pairs, async (index) => {
    // Not all in the same moment.
    await sleep((index / pairs / perSecond) * 1000)
    while (performance.now() < until) {
      try {
        await pairUntil(until, { clientAt: at, serverAt: serverAt ?? at, intervalMs: 1000 / perSecond }, seen)
      } catch (error) {
        if (!(error instanceof HubClosedError)) throw error
        count(seen.refusals, error.closed.status ?? error.closed.code)
        await sleep(100)
      }
    }
  })
  return seen
}

async function pairUntil(
  until: number,
  { clientAt, serverAt, intervalMs }: { clientAt: HubAddress; serverAt: HubAddress; intervalMs: number },
  seen: Introduced,
): Promise<void> {
  const keys = testKeys()
  const server = new HubClient(serverAt.url)
  const client = new HubClient(clientAt.url)
  try {
    await server.register(keys, serverAt.hubName)
    await client.next('welcome')
    for (let nextAt = performance.now(); nextAt < until; nextAt += intervalMs) {
      await sleep(nextAt - performance.now())
      const id = newId()
      const startedAt = performance.now()
      client.send({ type: 'introduce', id, to: keys.key })
      const answer = await client.nextOfAny()
      if (answer.type === 'error') {
        count(seen.refusals, answer.code)
        continue
      }
      client.send({ type: 'signal', id, data: offer })
      await server.next('incoming')
      await server.next('signal')
      server.send({ type: 'signal', id, data: offer })
      await client.next('signal')
      seen.latencies.push(performance.now() - startedAt)
      client.send({ type: 'close', id, reason: 'open' })
      await server.next('closed')
    }
  } finally {
    await Promise.all([server.leave(), client.leave()])
  }
}
