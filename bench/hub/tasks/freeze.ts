import { fromBase64Url, toBase64Url } from '../../../core/bytes.ts'
import { HubClient, newId } from '../hub-client.ts'
import { count, type Tally } from '../figures.ts'
import { sleep, type Workplace } from '../workplace.ts'

const signalCharacters = 16_000
const signalsEach = 64

/** So many of the peers here stop reading; gives the keys they are registered with. */
export async function freeze(place: Workplace, { peers }: { peers: number }): Promise<string[]> {
  const chosen = place.peers.splice(0, peers)
  for (const { client } of chosen) client.socket.pause()
  place.frozen.push(...chosen)
  return chosen.map(({ keys }) => toBase64Url(keys.key))
}

/** Keys of so many peers that go on reading. */
export async function awake(place: Workplace, { peers }: { peers: number }): Promise<string[]> {
  return place.peers.slice(0, peers).map(({ keys }) => toBase64Url(keys.key))
}

/** Lets the frozen read again, and tells how the hub had closed each; `open` are those that it had not. */
export async function thaw(place: Workplace): Promise<Tally> {
  const closes: Tally = {}
  const thawed = place.frozen.splice(0).map(async ({ client }) => {
    client.socket.resume()
    const closed = await Promise.race([client.closed, sleep(5_000)])
    count(closes, closed?.code ?? 'open')
    client.socket.terminate()
  })
  await Promise.all(thawed)
  return closes
}

/**
 * `feeders` clients that send to the peers with these keys as fast as the hub allows one peer, each to one after
 * another until that one is gone. Gives the megabytes that went out.
 */
export async function feed(
  _place: Workplace,
  { url, keys, feeders, seconds }: { url: string; keys: string[]; feeders: number; seconds: number },
): Promise<{ megabytes: number; answers: Tally }> {
  const seen = { megabytes: 0, answers: {} as Tally }
  const until = performance.now() + seconds * 1000
  const lane = async (first: number) => {
    const client = new HubClient(url)
    await client.next('welcome')
    for (let at = first; at < keys.length && performance.now() < until;) {
      const isThere = await feedOne(client, keys[at] ?? '', until, seen)
      if (!isThere) at += feeders
    }
    client.socket.terminate()
  }
  await Promise.all(Array.from({ length: feeders }, (_, index) => lane(index)))
  return seen
}

/** One introduction with all the signals it may have; whether the target is still there. */
async function feedOne(
  client: HubClient,
  key: string,
  until: number,
  seen: { megabytes: number; answers: Tally },
): Promise<boolean> {
  const id = newId()
  client.send({ type: 'introduce', id, to: fromBase64Url(key) ?? new Uint8Array(32) })
  const answer = await client.nextOfAny()
  count(seen.answers, answer.type === 'error' ? answer.code : answer.type)
  if (answer.type !== 'introduced') return false
  const data = 'f'.repeat(signalCharacters)
  const gone = client.nextOfAny()
  const over = new AbortController()
  void gone.then(() => over.abort())
  for (let sent = 0; sent < signalsEach && !over.signal.aborted && performance.now() < until; sent += 1) {
    client.send({ type: 'signal', id, data })
    seen.megabytes += signalCharacters / 1e6
    // 128 KiB a second, which is what the hub reads of one peer.
    await sleep(125)
  }
  if (over.signal.aborted) return false
  client.send({ type: 'close', id, reason: 'fed' })
  // Its answer settles the promise above: of such an introduction there is none.
  client.send({ type: 'close', id: newId(), reason: '' })
  const last = await gone
  // Gone in between: the answer to the closes is still to come.
  if (last.type === 'closed') for (const _ of [1, 2]) await client.nextOfAny()
  return last.type !== 'closed'
}
