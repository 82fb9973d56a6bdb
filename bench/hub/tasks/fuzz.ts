import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { hubSubprotocol } from '../../../core/hub-protocol.ts'
import { count, type Tally } from '../figures.ts'
import { hostileText, pick, seeded } from '../hostile.ts'
import { rawSocket, upgradeRequest } from '../raw-socket.ts'
import { inLanes, type Workplace } from '../workplace.ts'

export interface FuzzOptions {
  url: string
  seconds: number
  /** Sockets at a time. */
  sockets: number
  seed: number
}

export interface Fuzzed {
  sent: number
  connections: number
  /** How the hub closed them. */
  closes: Tally
  /** What it answered, by `error` code or type. */
  answers: Tally
}

/** Everything wrong that one can say to a hub, on many sockets at once. */
export async function fuzz({ url, seconds, sockets, seed }: FuzzOptions): Promise<Fuzzed> {
  const seen: Fuzzed = { sent: 0, connections: 0, closes: {}, answers: {} }
  const until = performance.now() + seconds * 1000
  await inLanes(sockets, sockets, async (lane) => {
    const random = seeded(seed + lane)
    while (performance.now() < until) {
      seen.connections += 1
      if (random() < 0.2) await breakFraming(url, random, seen)
      else await sayNonsense(url, random, seen)
    }
  })
  return seen
}

export const fuzzTask = (_place: Workplace, options: FuzzOptions) => fuzz(options)

/** Correct WebSocket frames with anything in them. */
async function sayNonsense(url: string, random: () => number, seen: Fuzzed): Promise<void> {
  const socket = new WebSocket(url, hubSubprotocol, { perMessageDeflate: false })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.on('message', (data: Buffer) => {
    const { type, code } = JSON.parse(data.toString()) as { type: string; code?: string }
    count(seen.answers, code ?? type)
  })
  await Promise.race([once(socket, 'open').catch(() => undefined), closed])
  for (let left = 1 + random() * 30; left > 0 && socket.readyState === WebSocket.OPEN; left -= 1) {
    pick(random, wordings)(socket, random)
    seen.sent += 1
    if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 20))
  }
  // It may have had its say already; a hub that closed first did so for a reason.
  const isOurs = socket.readyState === WebSocket.OPEN
  if (random() < 0.5) socket.close()
  else socket.terminate()
  const [code] = (await closed) as [number]
  count(seen.closes, isOurs ? 'by the fuzzer' : code)
}

const wordings: readonly ((socket: WebSocket, random: () => number) => void)[] = [
  (socket, random) => socket.send(hostileText(random)),
  (socket, random) => socket.send(hostileText(random)),
  (socket, random) => socket.send(hostileText(random)),
  (socket, random) => socket.send(hostileText(random)),
  (socket, random) => socket.send(randomBytes(Math.floor(random() * 100))),
  (socket, random) => socket.send('x'.repeat(pick(random, [65_536, 65_537, 1_000_000]))),
  (socket, random) => {
    const fragments = Math.floor(random() * 40)
    for (let left = fragments; left >= 0; left -= 1)
      socket.send('{"type":', { fin: left === 0, binary: false })
  },
  (socket, random) => socket.ping(randomBytes(Math.floor(random() * 126))),
  (socket, random) => socket.pong(randomBytes(Math.floor(random() * 126))),
]

/** A socket that was upgraded, and then what is no WebSocket frame of a client. */
async function breakFraming(url: string, random: () => number, seen: Fuzzed): Promise<void> {
  const socket = rawSocket(url)
  const closed = once(socket, 'close')
  await Promise.race([once(socket, 'connect').catch(() => undefined), closed])
  if (random() < 0.9) {
    socket.write(upgradeRequest(url))
    await Promise.race([once(socket, 'data'), closed])
  }
  pick(random, breaks)(socket, random)
  seen.sent += 1
  // What waits for more bytes would be closed at the deadline only; that is not what is asked here.
  const timer = setTimeout(() => socket.destroy(), 500)
  await closed
  clearTimeout(timer)
  count(seen.closes, 'framing')
}

const breaks: readonly ((socket: Socket, random: () => number) => void)[] = [
  (socket) => socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d])),
  (socket) => socket.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x80, 0x80, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x09, 0x80, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x89, 0xfe, 0, 200, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x81, 0x84, 0, 0, 0, 0, 0xff, 0xfe, 0xc0, 0x80])),
  (socket) => socket.write(Buffer.from([0x88, 0x81, 0, 0, 0, 0, 0])),
  (socket) => socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0, 1])),
  (socket, random) => socket.write(randomBytes(1 + Math.floor(random() * 5_000))),
  (socket) => socket.end(),
]
