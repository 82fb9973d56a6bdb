import { spreadOf } from './hub/figures.ts'
import { askEcho, askFirstByte, askSink, type Contestant, type Link, type Wire } from './contestant.ts'

/**
 * `send`: MB/s until the far side has said that it has all. `echo`: one message at a time, there and back.
 * `handshakes`: connections a second, eight at a time. `dial`: up to the first byte that came back, one at a time.
 * `hold`: memory of the server for each connection that is open; idle, or after it has carried a megabyte.
 */
export type Role = 'send' | 'echo' | 'handshakes' | 'dial' | 'hold' | 'hold busy'

/** What the dialing end is to do, in a form that passes between processes. */
export interface Order {
  readonly role: Role
  readonly address: string
  /** See `Table`. */
  readonly amount: number
  readonly chunkBytes: number
}

interface Work {
  readonly amount: number
  readonly chunkBytes: number
  readonly open: () => Promise<Wire>
}

/** Gives the figures of the role in their order. */
export function perform(contestant: Contestant, order: Order, link: Link): Promise<number[]> {
  const { role, address, amount, chunkBytes } = order
  return roles[role]({ amount, chunkBytes, open: () => contestant.dial(address, link) })
}

const roles: Record<Role, (work: Work) => Promise<number[]>> = {
  send,
  echo,
  handshakes,
  dial,
  hold,
  'hold busy': holdBusy,
}

const lanes = 8
/** What each connection of `hold busy` carries: more than what TCP and both ends keep. */
const carriedBytes = 1024 * 1024
/** Messages before the clock starts: the compiler has seen them, and TCP has found its pace. */
const warmUpMessages = 500
/** Where a round trip waits for TCP's delayed acknowledgement, 40 ms, fewer messages tell as much; half of it is for warming up. */
const mostEchoMs = 4000

/** Megabytes a second, from the first write until the far side has said that it has everything. */
async function send({ amount, chunkBytes, open }: Work): Promise<number[]> {
  const wire = await open()
  const chunk = new Uint8Array(chunkBytes)
  await wire.write(Uint8Array.of(askSink))
  const startedAt = performance.now()
  for (let sent = 0; sent < amount * 1e6; sent += chunk.length) await wire.write(chunk)
  await wire.end()
  await wire.answer()
  return [amount / ((performance.now() - startedAt) / 1000)]
}

/** Microseconds there and back, one message at a time: median and 99th percentile. */
async function echo({ amount, chunkBytes, open }: Work): Promise<number[]> {
  const wire = await open()
  await wire.write(Uint8Array.of(askEcho))
  await wire.answer()
  const message = new Uint8Array(chunkBytes)
  const exchange = async (times: number): Promise<number[]> => {
    const took: number[] = []
    const until = performance.now() + mostEchoMs / 2
    for (let now = performance.now(); took.length < times && now < until;) {
      await wire.write(message)
      await wire.answer()
      const then = now
      now = performance.now()
      took.push((now - then) * 1000)
    }
    return took
  }
  await exchange(warmUpMessages)
  const took = await exchange(amount)
  const { p50, p99 } = spreadOf(took)
  return [p50, p99]
}

/** Milliseconds from the dial to the first byte that came back: median and 99th percentile. */
async function dial({ amount, open }: Work): Promise<number[]> {
  const took: number[] = []
  for (let count = 0; count < amount; count++) {
    const startedAt = performance.now()
    const wire = await firstByte(open)
    took.push(performance.now() - startedAt)
    await wire.close()
  }
  const { p50, p99 } = spreadOf(took)
  return [p50, p99]
}

/** Connections a second, each up to the first byte that came back. */
async function handshakes({ amount, open }: Work): Promise<number[]> {
  const startedAt = performance.now()
  await inLanes(amount, async () => (await firstByte(open)).close())
  return [amount / ((performance.now() - startedAt) / 1000)]
}

/** Opens so many connections and keeps them, idle. */
async function hold({ amount, open }: Work): Promise<number[]> {
  await inLanes(amount, async () => (await open()).write(Uint8Array.of(askSink)))
  return []
}

/** Opens so many connections and keeps them, after each has carried a megabyte. */
async function holdBusy({ amount, chunkBytes, open }: Work): Promise<number[]> {
  const chunk = new Uint8Array(chunkBytes)
  await inLanes(amount, async () => {
    const wire = await open()
    await wire.write(Uint8Array.of(askSink))
    for (let sent = 0; sent < carriedBytes; sent += chunkBytes) await wire.write(chunk)
  })
  return []
}

async function firstByte(open: Work['open']): Promise<Wire> {
  const wire = await open()
  await wire.write(Uint8Array.of(askFirstByte))
  await wire.answer()
  return wire
}

/** Does something so many times, eight at a time. */
async function inLanes(times: number, once: () => Promise<void>): Promise<void> {
  let left = times
  const lane = async () => {
    while (left-- > 0) await once()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
