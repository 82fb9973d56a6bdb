import { WebSocket } from 'ws'
import { type RivalName, rivals } from '../rivals.ts'
import { inLanes, sleep, type Workplace } from '../workplace.ts'

/** As long as an offer of a data channel, sealed and encoded. */
const payload = 'p'.repeat(1_400)

/** So many idle peers, which stay as long as this process. */
export async function fill(
  _place: Workplace,
  { name, url, peers }: { name: RivalName; url: string; peers: number },
): Promise<void> {
  await inLanes(peers, 50, async () => void (await rivals[name].idle(url)).on('error', () => {}))
}

/**
 * Messages from one to the other of each pair, `inFlight` of them under way in each: how many arrived, and how long
 * each was under way, milliseconds.
 */
export async function route(
  _place: Workplace,
  options: { name: RivalName; url: string; pairs: number; inFlight: number; seconds: number },
): Promise<{ perSecond: number; latencies: number[] }> {
  const { name, url, pairs, inFlight, seconds } = options
  const latencies: number[] = []
  let from = Infinity
  let until = Infinity
  const lanes: WebSocket[] = []
  for (let index = 0; index < pairs; index += 1) {
    const pair = await rivals[name].pair(url, payload)
    const sentAt: number[] = []
    const send = () => {
      sentAt.push(performance.now())
      pair.from.send(pair.text)
    }
    pair.to.on('message', () => {
      const now = performance.now()
      const startedAt = sentAt.shift() ?? now
      if (now >= from && now < until) latencies.push(now - startedAt)
      if (now < until) send()
    })
    for (let sent = 0; sent < inFlight; sent += 1) send()
    lanes.push(pair.from, pair.to)
  }
  // What is compiled on the way is compiled by then.
  await sleep(2_000)
  from = performance.now()
  until = from + seconds * 1000
  await sleep(seconds * 1000 + 200)
  for (const socket of lanes) socket.terminate()
  return { perSecond: latencies.length / seconds, latencies }
}

/** What one peer gets for one text: how its socket is closed within `withinMs`, or that it is not. */
export async function provoke(
  _place: Workplace,
  {
    name,
    url,
    kind,
    withinMs,
  }: { name: RivalName; url: string; kind: 'long' | 'malformed'; withinMs: number },
): Promise<string> {
  const { from, to, text } = await rivals[name].pair(url, 'x')
  let arrived = 0
  to.on('message', (data: Buffer) => (arrived += data.length))
  from.on('error', () => {})
  const closed = new Promise<string>((resolve) => from.on('close', (code) => resolve(`closed ${code}`)))
  from.send(kind === 'long' ? text.replace('"x"', `"${'x'.repeat(20 * 2 ** 20)}"`) : '{"type":')
  const seen = await Promise.race([closed, sleep(withinMs).then(() => 'left open')])
  for (const socket of [from, to]) socket.terminate()
  return arrived > 0 ? `${seen}, ${arrived} bytes passed on` : seen
}
