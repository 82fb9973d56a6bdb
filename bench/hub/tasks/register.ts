import { HubClient, HubClosedError, proof, testKeys } from '../hub-client.ts'
import { count, type Tally } from '../figures.ts'
import { inLanes, type Workplace } from '../workplace.ts'

export interface HubAddress {
  url: string
  hubName: string
}

export interface Registered {
  /** From the connect to `registered`, milliseconds each. */
  latencies: number[]
  refusals: Tally
}

/** So many peers that register and stay. */
export async function register(
  place: Workplace,
  { url, hubName, peers, atOnce }: HubAddress & { peers: number; atOnce: number },
): Promise<Registered> {
  const seen: Registered = { latencies: [], refusals: {} }
  await inLanes(peers, atOnce, async () => {
    const peer = await registerOne({ url, hubName }, seen)
    if (peer === undefined) return
    peer.client.ignoreMessages()
    place.peers.push(peer)
  })
  return seen
}

/** Peers that register and leave again, one after another in each of `atOnce` lanes. */
export async function comeAndGo(
  _place: Workplace,
  { url, hubName, seconds, atOnce }: HubAddress & { seconds: number; atOnce: number },
): Promise<Registered> {
  const seen: Registered = { latencies: [], refusals: {} }
  const until = performance.now() + seconds * 1000
  await inLanes(atOnce, atOnce, async () => {
    while (performance.now() < until) await (await registerOne({ url, hubName }, seen))?.client.leave()
  })
  return seen
}

/** All that registered here leave; resolves when their sockets are gone. */
export async function leave(place: Workplace): Promise<void> {
  await Promise.all(place.peers.splice(0).map(({ client }) => client.leave()))
}

async function registerOne({ url, hubName }: HubAddress, seen: Registered) {
  const keys = testKeys()
  const startedAt = performance.now()
  const client = new HubClient(url)
  try {
    const { challenge } = await client.next('welcome')
    client.send(proof(keys, hubName, challenge))
    const answer = await client.nextOfAny()
    if (answer.type === 'registered') {
      seen.latencies.push(performance.now() - startedAt)
      return { client, keys }
    }
    count(seen.refusals, answer.type === 'error' ? answer.code : answer.type)
    await client.leave()
    return undefined
  } catch (error) {
    if (!(error instanceof HubClosedError)) throw error
    count(seen.refusals, error.closed.status ?? error.closed.code)
    return undefined
  }
}
