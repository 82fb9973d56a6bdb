import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ByteReader } from '../../../core/byte-reader.ts'
import { concat } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { createPair } from '../../../core/pair.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'
import { loadCrypto, type ShsCrypto } from '../../../plugs/shs/crypto.ts'
import { shakeAsClient, shakeAsServer, type Session } from '../../../plugs/shs/handshake.ts'
import { anyFault, applyFault, cutBytes, firstDifference } from './faults.ts'
import { makeKeys, streamOf, tapWrites } from './helpers.ts'

const keys = { client: await makeKeys(1), server: await makeKeys(2) }
const appKey = new Uint8Array(32).fill(42)

let crypto: ShsCrypto
/** What each side sends when nothing is wrong. With its one-time key known it can be sent again. */
let honest: Record<Side, Bytes[]>

type Side = 'client' | 'server'

beforeAll(async () => {
  await sodium.ready
  crypto = await loadCrypto()
  const [a, b] = createPair().map((stream) => tapWrites(stream, (chunk) => chunk))
  if (a === undefined || b === undefined) throw new Error('a pair has two ends')
  await Promise.all([shake.client(a), shake.server(b)])
  honest = { client: a.writes.map(asBytes), server: b.writes.map(asBytes) }
})

const shake: Record<Side, (stream: ByteStream) => Promise<Session>> = {
  client: (stream) =>
    shakeAsClient(wireOf(stream), keys.server.publicKey, {
      crypto,
      appKey,
      identity: createIdentity(keys.client),
      ephemeral: new Uint8Array(32).fill(3),
    }),
  server: (stream) =>
    shakeAsServer(wireOf(stream), {
      crypto,
      appKey,
      identity: createIdentity(keys.server),
      ephemeral: new Uint8Array(32).fill(4),
      authorize: () => Promise.resolve(true),
    }),
}

/** Faults of an honest peer's bytes, and bytes of anybody. */
const arriving = fc.oneof(
  { weight: 4, arbitrary: anyFault.map((fault) => (sent: readonly Bytes[]) => applyFault(fault, sent)) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => () => Uint8Array.from(bytes)),
  },
)

// A server says no more than its challenge to whom it has not recognized; a client has said its hello by then.
describe.each([
  ['client', 'server', 2],
  ['server', 'client', 1],
] as const)('the %s of shs', (side, peer, mostMessages) => {
  it('agrees on what an honest peer sends, and on nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(arriving, fc.integer({ min: 1, max: 200 }), async (change, chunkBytes) => {
        const sent = honest[peer]
        const arrived = change(sent)
        const stream = streamOf(cutBytes(arrived, [chunkBytes]))
        const outcome = await shake[side](stream).catch((error: unknown) => error)
        const whole = concat(...sent)
        if (firstDifference(whole, arrived) === whole.length) {
          expect(outcome).toMatchObject({ remote: keys[peer].publicKey })
          return
        }
        expect(outcome).toBeInstanceOf(MultiserverError)
        expect(['HANDSHAKE_FAILED', 'WRONG_KEY']).toContain((outcome as MultiserverError).code)
        expect(stream.written.length).toBeLessThanOrEqual(mostMessages)
      }),
      { numRuns: 3_000 },
    )
  })
})

function wireOf(stream: ByteStream) {
  return { reader: new ByteReader(stream), write: (chunk: Uint8Array) => stream.write(chunk) }
}

function asBytes(chunk: Uint8Array): Bytes {
  return Uint8Array.from(chunk)
}
