import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { encodePeerMessage, hubSubprotocol } from '../../../core/hub-protocol.ts'
import { count, type Tally } from '../figures.ts'
import { newId } from '../hub-client.ts'
import { inLanes, sleep, type Workplace } from '../workplace.ts'

/** What waits in a flooder's own process at most: it wants to load the hub, not itself. */
const unsentBytes = 1024 * 1024

export interface Flooded {
  messages: number
  megabytes: number
  /** How the hub got rid of them. */
  closes: Tally
}

/** Sends as fast as the sockets take it, connecting anew whenever the hub has closed one. */
export async function flood(
  _place: Workplace,
  { url, flooders, seconds }: { url: string; flooders: number; seconds: number },
): Promise<Flooded> {
  const seen: Flooded = { messages: 0, megabytes: 0, closes: {} }
  const until = performance.now() + seconds * 1000
  await inLanes(flooders, flooders, async (index) => {
    while (performance.now() < until) await floodOnce(url, index, until, seen)
  })
  return seen
}

/** That a socket was closed is only heard between turns: what is sent to it until then waits nowhere. */
const mostInOneGo = 1_000

async function floodOnce(url: string, index: number, until: number, seen: Flooded): Promise<void> {
  const socket = new WebSocket(url, hubSubprotocol, { perMessageDeflate: false })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await Promise.race([once(socket, 'open').catch(() => undefined), closed])
  while (socket.readyState === WebSocket.OPEN && performance.now() < until) {
    for (let sent = 0; sent < mostInOneGo && socket.bufferedAmount < unsentBytes; sent += 1) {
      const text = messageOf(index)
      socket.send(text)
      seen.messages += 1
      seen.megabytes += text.length / 1e6
    }
    await sleep(1)
  }
  const isOver = performance.now() >= until
  // A hub that does not read would not see a closing frame behind all that.
  if (isOver) socket.terminate()
  const [code] = (await closed) as [number]
  if (!isOver) count(seen.closes, code)
}

/** Each flooder has its own way: small and cheap, small and asking for work, long, or wrong. */
function messageOf(index: number): string {
  switch (index % 4) {
    case 0:
      return '{"type":"nothing that is known"}'
    case 1:
      return encodePeerMessage({ type: 'introduce', id: newId(), to: new Uint8Array(randomBytes(32)) })
    case 2:
      return encodePeerMessage({ type: 'signal', id: newId(), data: 'x'.repeat(16_000) })
    default:
      return `{"type":"register","key":"${'A'.repeat(43)}","signature":"${'A'.repeat(86)}"}`
  }
}
