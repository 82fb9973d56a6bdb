import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { concat } from '../../../core/bytes.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { createPair } from '../../../core/pair.ts'
import { openPlace, serverKey, takeOver, tunnelOf, tunnelTarget } from './meeting.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'

/** Bytes cut anyhow: nothing, a good beginning or garbage, and what comes behind. */
const pieces = (beginning: fc.Arbitrary<Bytes>) =>
  fc.record({
    bytes: fc.tuple(beginning, fc.uint8Array({ maxLength: 80 })).map(([start, rest]) => concat(start, rest)),
    cuts: fc.array(fc.nat({ max: 120 }), { maxLength: 6 }),
    last: fc.constantFrom('end', 'abort'),
  })

const request = fc.oneof(
  fc.constant(concat(Uint8Array.of(1), serverKey)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => concat(bytes)),
  fc.nat({ max: 33 }).map((length) => concat(Uint8Array.of(1), serverKey).slice(0, length)),
)
const answer = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4).map((byte) => Uint8Array.of(byte)),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => concat(bytes)),
)

it('a bridge obeys a request and nothing else, however it is cut, and passes exactly the rest', async () => {
  const place = await openPlace()
  const to = vi.fn((key: Bytes) => (key.every((byte) => byte === 7) ? place.address : undefined))
  const bridge = tunnelOf({ to })
  await fc.assert(
    fc.asyncProperty(pieces(request), async ({ bytes, cuts, last }) => {
      const [near, far] = createPair()
      const taking = takeOver(bridge, far).catch((error: unknown) => error)
      await say(near, bytes, cuts)
      const isRequest = bytes.length >= 33 && bytes[0] === 1
      const isServed = isRequest && bytes.slice(1, 33).every((byte) => byte === 7)
      if (!isServed) finish(near, last)
      const outcome = await taking
      if (!isServed) {
        const codes = isRequest
          ? ['TUNNEL_UNKNOWN']
          : bytes.length >= 33
            ? ['PROTOCOL']
            : ['TRUNCATED', 'CONNECTION_LOST']
        expect(outcome).toBeInstanceOf(MultiserverError)
        expect(codes).toContain((outcome as MultiserverError).code)
        await far.closed
        return
      }
      const server = await place.arrived()
      expect(await readSome(server, bytes.length - 33)).toEqual(bytes.slice(33))
      expect(await near.read()).toEqual(Uint8Array.of(0))
      near.abort()
      await (outcome as { closed: Promise<void> }).closed
    }),
  )
  await place.close()
})

it('a client takes an answer and nothing else, and reads exactly what is behind it', async () => {
  const { signal } = new AbortController()
  const codes = ['', 'TUNNEL_UNKNOWN', 'TUNNEL_REFUSED', 'TUNNEL_UNREACHABLE', 'BUSY']
  await fc.assert(
    fc.asyncProperty(pieces(answer), async ({ bytes, cuts, last }) => {
      const [near, far] = createPair()
      const connecting = tunnelTarget()
        .connect(near, { signal })
        .catch((error: unknown) => error)
      expect(await far.read()).toEqual(concat(Uint8Array.of(1), serverKey))
      await say(far, bytes, cuts)
      const [byte] = bytes
      if (byte !== 0) finish(far, last)
      const outcome = await connecting
      if (byte !== 0) {
        const code = byte === undefined ? 'HANDSHAKE_FAILED' : (codes[byte] ?? 'PROTOCOL')
        expect(outcome).toBeInstanceOf(MultiserverError)
        expect((outcome as MultiserverError).code).toBe(code)
        await near.closed
        return
      }
      const { stream } = outcome as { stream: ByteStream }
      expect(await readSome(stream, bytes.length - 1)).toEqual(bytes.slice(1))
      stream.abort()
    }),
  )
})

/** In pieces; whoever has heard enough may have hung up. */
async function say(stream: ByteStream, bytes: Bytes, cuts: readonly number[]): Promise<void> {
  const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
  for (const [index, start] of places.entries()) {
    const piece = bytes.slice(start, places[index + 1])
    if (piece.length > 0) await stream.write(piece).catch(() => undefined)
  }
}

function finish(stream: ByteStream, last: string): void {
  if (last === 'abort') stream.abort()
  else stream.end().catch(() => undefined)
}

async function readSome(stream: ByteStream, length: number): Promise<Bytes> {
  const chunks: Bytes[] = []
  for (let filled = 0; filled < length;) {
    const chunk = await stream.read()
    if (chunk === null) throw new Error('it ended too early')
    chunks.push(chunk)
    filled += chunk.length
  }
  return concat(...chunks)
}
