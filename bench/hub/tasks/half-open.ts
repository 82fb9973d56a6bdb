import type { Socket } from 'node:net'
import { rawSocket, upgradeRequest } from '../raw-socket.ts'
import { sleep, type Workplace } from '../workplace.ts'

/** Where a connection can stop short; each keeps what it has begun as alive as it can. */
export const halfOpenStages: Record<string, (socket: Socket, url: string) => void> = {
  'TCP accepted and silent': () => {},
  'headers dribbled': (socket, url) => dribble(socket, upgradeRequest(url)),
  'headers without an end': (socket, url) => {
    socket.write(upgradeRequest(url).trimEnd())
    dribble(socket, `\r\nX-Wait: ${'x'.repeat(1_000)}`)
  },
  'body dribbled': (socket, url) => {
    socket.write(`POST /limits HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Length: 1000\r\n\r\n`)
    dribble(socket, 'b'.repeat(1_000))
  },
  'upgrade cut in the middle': (socket, url) => void socket.write(upgradeRequest(url).slice(0, -20)),
  'silence after the upgrade': (socket, url) => void socket.write(upgradeRequest(url)),
}

export interface HalfOpened {
  opened: number
  /** From the connect to the close by the hub, milliseconds each. */
  lives: number[]
  /** Still open six seconds after the last was opened. */
  left: number
}

/** Keeps `sockets` of them open, as many of each stage, by opening anew what the hub has closed. */
export async function holdHalfOpen(
  _place: Workplace,
  { url, sockets, seconds }: { url: string; sockets: number; seconds: number },
): Promise<HalfOpened> {
  const seen: HalfOpened = { opened: 0, lives: [], left: 0 }
  const stages = Object.values(halfOpenStages)
  const open = new Set<Socket>()
  const until = performance.now() + seconds * 1000
  const openOne = (index: number) => {
    const startedAt = performance.now()
    const socket = rawSocket(url)
    open.add(socket)
    seen.opened += 1
    stages[index % stages.length]?.(socket, url)
    socket.on('close', () => {
      open.delete(socket)
      seen.lives.push(performance.now() - startedAt)
      // Not at once: what is refused at the door would be a flood of connects otherwise.
      if (performance.now() < until) setTimeout(() => openOne(index), 100)
    })
  }
  for (let index = 0; index < sockets; index += 1) {
    openOne(index)
    if (index % 100 === 99) await sleep(10)
  }
  await sleep(until - performance.now())
  await sleep(6_000)
  seen.left = open.size
  for (const socket of open) socket.destroy()
  return seen
}

/** A byte every half second, until the socket is gone. */
function dribble(socket: Socket, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    if (!socket.write(text.slice(at, (at += 1)))) clearInterval(timer)
  }, 500)
  socket.once('close', () => clearInterval(timer))
}
