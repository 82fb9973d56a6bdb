import { spreadOf } from './hub/figures.ts'
import { askEcho, askFirstByte, askSink, type Wire } from './contestant.ts'

/** What the dialing end is to do. */
export interface Work {
  /** See `Table`. */
  readonly amount: number
  readonly chunkBytes: number
  readonly open: () => Promise<Wire>
}

const lanes = 8
/** What each connection of `hold busy` carries: more than what TCP and both ends keep. */
const carriedBytes = 1024 * 1024
/** Messages before the clock starts: the compiler has seen them, and TCP has found its pace. */
const warmUpMessages = 500

/** Megabytes a second, from the first write until the far side has said that it has everything. */
export async function send({ amount, chunkBytes, open }: Work): Promise<number[]> {
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
export async function echo({ amount, chunkBytes, open }: Work): Promise<number[]> {
  const wire = await open()
  await wire.write(Uint8Array.of(askEcho))
  await wire.answer()
  const message = new Uint8Array(chunkBytes)
  const took: number[] = []
  for (let count = 0; count < warmUpMessages + amount; count++) {
    const startedAt = performance.now()
    await wire.write(message)
    await wire.answer()
    if (count >= warmUpMessages) took.push((performance.now() - startedAt) * 1000)
  }
  const { p50, p99 } = spreadOf(took)
  return [p50, p99]
}

/** Milliseconds from the dial to the first byte that came back: median and 99th percentile. */
export async function dial({ amount, open }: Work): Promise<number[]> {
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
export async function handshakes({ amount, open }: Work): Promise<number[]> {
  const startedAt = performance.now()
  await inLanes(amount, async () => (await firstByte(open)).close())
  return [amount / ((performance.now() - startedAt) / 1000)]
}

/** Opens so many connections and keeps them, idle. */
export async function hold({ amount, open }: Work): Promise<number[]> {
  await inLanes(amount, async () => (await open()).write(Uint8Array.of(askSink)))
  return []
}

/** Opens so many connections and keeps them, after each has carried a megabyte. */
export async function holdBusy({ amount, chunkBytes, open }: Work): Promise<number[]> {
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
