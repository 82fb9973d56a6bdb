import { concat, equalBytes, fromText } from '../../core/bytes.ts'
import { check, checkEqual, isSettled, rejection, type Case } from './case.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'

/** Two ends of a new stream, made by a transport or secured by a transform. */
export interface StreamHarness {
  /** Whether `end` leaves the other direction open. */
  readonly halfClose: boolean
  /** Whether a reader that stops holds the writer back. A browser's WebSocket can't. */
  readonly backpressure: boolean
  /** Whether the peer can tell an abort from an end. A unix socket knows no reset. @default true */
  readonly abortShows?: boolean | undefined
  readonly connect: () => Promise<{ client: ByteStream; server: ByteStream }>
}

type Ends = { client: ByteStream; server: ByteStream }

/** What every byte stream does, whatever it is made of. Each case is run from both ends. */
export const streamCases: readonly Case<StreamHarness>[] = [
  streamCase('carries bytes to the other end', async (near, far) => {
    await near.write(fromText('hello'))
    check(equalBytes(await readExactly(far, 5), fromText('hello')), 'other bytes came out')
  }),
  streamCase('keeps what arrives before the first read', async (near, far) => {
    await near.write(fromText('early'))
    // An answer on the other direction shows that the first has had its time.
    await far.write(fromText('.'))
    await readExactly(near, 1)
    check(equalBytes(await readExactly(far, 5), fromText('early')), 'what came early was lost')
  }),
  streamCase('keeps one-byte writes in order', async (near, far) => {
    const bytes = pattern(2000)
    const reading = readExactly(far, bytes.length)
    for (const byte of bytes) await near.write(Uint8Array.of(byte))
    check(equalBytes(await reading, bytes), 'bytes were lost, doubled or out of order')
  }),
  streamCase('carries a chunk larger than any buffer', async (near, far) => {
    const bytes = pattern(3 * 1024 * 1024 + 17)
    const [received] = await Promise.all([readExactly(far, bytes.length), near.write(bytes)])
    check(equalBytes(received, bytes), 'bytes were lost, doubled or out of order')
  }),
  streamCase('carries both directions at once', async (near, far) => {
    const there = pattern(300_000)
    const back = pattern(200_001).toReversed()
    const [atFar, atNear] = await Promise.all([
      readExactly(far, there.length),
      readExactly(near, back.length),
      writeInPieces(near, there, 7001),
      writeInPieces(far, back, 997),
    ])
    check(equalBytes(atFar, there) && equalBytes(atNear, back), 'the directions disturb each other')
  }),
  streamCase('leaves a chunk to the writer once its write has settled', async (near, far) => {
    const chunk = pattern(50_000)
    const expected = chunk.slice()
    await near.write(chunk)
    chunk.fill(0)
    check(equalBytes(await readExactly(far, expected.length), expected), 'it was read after it had settled')
  }),
  streamCase('leaves a small chunk to the writer too, of whatever class it is', async (near, far) => {
    // Where there are Buffers: their slice is no copy.
    const chunk = typeof Buffer === 'undefined' ? fromText('small') : Buffer.from('small')
    await near.write(chunk)
    chunk.fill(0)
    check(equalBytes(await readExactly(far, 5), fromText('small')), 'it was read after it had settled')
  }),
  streamCase('reads null after the last byte, and again', async (near, far) => {
    await near.write(fromText('last'))
    endSoon(near)
    check(equalBytes(await readToEnd(far), fromText('last')), 'the end cut off bytes')
    checkEqual(await far.read(), null, 'a second read at the end')
  }),
  streamCase('wakes a waiting reader when the peer ends', async (near, far) => {
    const reading = far.read()
    endSoon(near)
    checkEqual(await reading, null, 'the waiting read')
  }),
  streamCase('rejects a write after its end', async (near, far) => {
    endSoon(near)
    await rejection(near.write(fromText('x')), 'a write after end()')
    await readToEnd(far)
  }),
  {
    name: 'goes on reading after its end',
    skip: ({ halfClose }) => (halfClose ? undefined : 'this stream has no half-close'),
    run: bothWays(async (near, far) => {
      endSoon(near)
      checkEqual(await far.read(), null, 'the end')
      const bytes = pattern(400_000)
      const [received] = await Promise.all([readExactly(near, bytes.length), far.write(bytes)])
      check(equalBytes(received, bytes), 'the open direction lost bytes')
    }),
  },
  streamCase('is released once both have ended', async (near, far) => {
    await near.write(fromText('bye'))
    const nearEnd = near.end()
    await readToEnd(far)
    await Promise.all([far.end().catch(() => undefined), nearEnd, readToEnd(near)])
    await Promise.all([near.closed, far.closed])
  }),
  streamCase('rejects reads and writes with the reason of its abort', async (near) => {
    const reason = new Error('enough')
    const reading = near.read()
    near.abort(reason)
    checkEqual(await rejection(reading, 'the waiting read'), reason, 'the waiting read')
    checkEqual(await rejection(near.read(), 'a read'), reason, 'a read after abort')
    checkEqual(await rejection(near.write(fromText('x')), 'a write'), reason, 'a write after abort')
  }),
  {
    name: 'tells the peer of its abort',
    skip: ({ abortShows = true }) => (abortShows ? undefined : 'over this stream an abort looks like an end'),
    run: bothWays(async (near, far) => {
      near.abort()
      await rejection(readToEnd(far), "the peer's read")
    }),
  },
  streamCase('releases both ends after an abort', async (near, far) => {
    near.abort()
    await readToEnd(far).catch(() => undefined)
    far.abort()
    await Promise.all([near.closed, far.closed])
  }),
  streamCase('takes an abort at any time without throwing', async (near, far) => {
    near.abort()
    near.abort(new Error('twice'))
    await near.closed
    near.abort()
    far.abort()
    await far.closed
  }),
  streamCase('rejects a write that waits when it is aborted', async (near, far) => {
    const writing = fill(near)
    await isSettled(writing, 50)
    near.abort()
    await rejection(writing, 'the waiting write')
    far.abort()
  }),
  {
    name: 'holds a writer back while nobody reads, and lets it go on',
    skip: ({ backpressure }) => (backpressure ? undefined : 'this stream can not pause its sender'),
    run: bothWays(async (near, far) => {
      let written = 0
      const stop = new AbortController()
      const writing = (async () => {
        // Of no pattern: compressed, a whole gigabyte of one would fit into what may be under way.
        const chunk = crypto.getRandomValues(new Uint8Array(64 * 1024))
        while (!stop.signal.aborted) {
          await near.write(chunk)
          written += chunk.length
        }
      })()
      // What is on its way may still settle; then it stands.
      for (let before = -1; before !== written;) {
        before = written
        await isSettled(writing, 300)
      }
      const held = written
      check(held <= 32 * 1024 * 1024, `${held} bytes were taken although nobody reads`)
      stop.abort()
      const ending = writing.then(() => near.end())
      checkEqual((await readToEnd(far)).length, held + 64 * 1024, 'the bytes read once the reader goes on')
      await ending
    }),
  },
]

/** A case that is run once from the client's end and once from the server's. */
function streamCase(
  name: string,
  run: (near: ByteStream, far: ByteStream) => Promise<void>,
): Case<StreamHarness> {
  return { name, run: bothWays(run) }
}

function bothWays(run: (near: ByteStream, far: ByteStream) => Promise<void>): Case<StreamHarness>['run'] {
  return async (harness) => {
    for (const order of [inOrder, inReverse]) {
      const ends = await harness.connect()
      const [near, far] = order(ends)
      try {
        await run(near, far)
      } finally {
        ends.client.abort()
        ends.server.abort()
        await Promise.all([ends.client.closed, ends.server.closed])
      }
    }
  }
}

const inOrder = ({ client, server }: Ends): [ByteStream, ByteStream] => [client, server]
const inReverse = ({ client, server }: Ends): [ByteStream, ByteStream] => [server, client]

/** Bytes that differ from place to place, so that what is lost or moved shows. */
function pattern(length: number): Bytes {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 17 + (at >> 16)) & 0xff
  return bytes
}

async function readExactly(stream: ByteStream, length: number): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let filled = 0; filled < length;) {
    const chunk = await stream.read()
    check(chunk !== null, `the stream ended after ${filled} of ${length} bytes`)
    chunks.push(chunk)
    filled += chunk.length
    check(filled <= length, 'more bytes came than were written')
  }
  return concat(...chunks)
}

async function readToEnd(stream: ByteStream): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    check(chunk.length > 0, 'an empty chunk was read')
    chunks.push(chunk)
  }
  return concat(...chunks)
}

/** Ends without waiting: the peer may give up before it has heard of it. */
function endSoon(stream: ByteStream): void {
  stream.end().catch(() => undefined)
}

async function writeInPieces(stream: ByteStream, bytes: Uint8Array, size: number): Promise<void> {
  for (let start = 0; start < bytes.length; start += size)
    await stream.write(bytes.subarray(start, start + size))
}

/** Writes until nobody takes any more; rejects when the stream is aborted. */
async function fill(stream: ByteStream): Promise<void> {
  const chunk = pattern(256 * 1024)
  for (let written = 0; written < 2 ** 30; written += chunk.length) await stream.write(chunk)
}
