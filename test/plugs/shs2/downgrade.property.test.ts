import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { equalBytes } from '../../../core/bytes.ts'
import { MultiserverError } from '../../../core/errors.ts'
import MultiServer, { type CloseServer, type Connection, type StackInput } from '../../../core/multiserver.ts'
import { generateKeys, keyToString, type Keys } from '../../../plugs/keys.ts'
import memory from '../../../plugs/memory.ts'
import noauth from '../../../plugs/noauth.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import type { ByteStream, Transport } from '../../../core/types.ts'
import { tapWrites } from '../shs/helpers.ts'

/**
 * Somebody on the way who wants the weaker protocol and blocks what he likes: whole places, or a connection after so
 * many bytes, or by changing one of them. What is dialed and what accepts is real.
 */
type Fate = 'open' | 'refused' | { readonly cutAt: number } | { readonly flipAt: number }

const services = ['strong one', 'strong two', 'weak one', 'weak two', 'bare', 'nothing proved'] as const
type Service = (typeof services)[number]

const fates: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fate>('open') },
  { weight: 3, arbitrary: fc.constant<Fate>('refused') },
  { weight: 3, arbitrary: fc.record({ cutAt: fc.nat({ max: 1343 }) }) },
  { weight: 3, arbitrary: fc.record({ flipAt: fc.nat({ max: 175 }) }) },
)

let keys: Keys
let clientKeys: Keys
let close: CloseServer
const addresses = new Map<Service, string>()

beforeAll(async () => {
  keys = await generateKeys()
  clientKeys = await generateKeys()
  const place = (name: Service) => memory({ name })
  const server = MultiServer([
    [place('strong one'), shs2({ keys })],
    [place('strong two'), shs2({ keys })],
    [place('weak one'), shs({ keys })],
    [place('weak two'), shs({ keys })],
    place('bare'),
    [place('nothing proved'), noauth()],
  ])
  close = server.server((connection) => connection.end())
  await close.listening
  for (const [index, address] of server.stringify().split(';').entries()) {
    const service = services[index]
    if (service !== undefined) addresses.set(service, address)
  }
  expect(addresses.get('strong one')).toBe(`memory:strong one~shs2:${keyToString(keys.publicKey)}`)
})
afterAll(() => close())

it('never makes a default client weaker: it is authenticated at the full strength of the address, or fails', async () => {
  let connected = 0
  let blocked = 0
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...services], { minLength: 1 }),
      fc.dictionary(fc.constantFrom(...services), fates),
      async (offered, blocks) => {
        const address = offered.map((service) => addresses.get(service)).join(';')
        const strength = Math.max(...offered.map(strengthOf))
        const strongest = offered.filter((service) => strengthOf(service) === strength)
        const outcome = await dial(address, new Map(Object.entries(blocks)))
        if (outcome instanceof MultiserverError) {
          expect(outcome.code).toBe('DIAL_FAILED')
          expect(outcome.attempts).toHaveLength(strongest.length)
          expect(strongest.every((service) => (blocks[service] ?? 'open') !== 'open')).toBe(true)
          blocked += 1
          return
        }
        expect(outcome.strength).toBe(strength)
        expect(outcome.address.startsWith('memory:')).toBe(true)
        if (strength > 0) expect(equalBytes(outcome.remote ?? new Uint8Array(0), keys.publicKey)).toBe(true)
        outcome.abort()
        connected += 1
      },
    ),
    { numRuns: 1000 },
  )
  expect(connected).toBeGreaterThan(200)
  expect(blocked).toBeGreaterThan(100)
})

function strengthOf(service: Service): number {
  if (service.startsWith('strong')) return 2
  return service.startsWith('weak') ? 1 : 0
}

async function dial(
  address: string,
  blocks: ReadonlyMap<string, Fate>,
): Promise<Connection | MultiserverError> {
  const way = block(memory(), blocks)
  const stacks: StackInput[] = [
    [way, shs({ keys: clientKeys })],
    [way, shs2({ keys: clientKeys })],
    way,
    [way, noauth()],
  ]
  try {
    return await MultiServer(stacks).client(address)
  } catch (error) {
    if (error instanceof MultiserverError) return error
    throw error
  }
}

/** `transport` with what somebody does on the way. */
function block(transport: Transport, blocks: ReadonlyMap<string, Fate>): Transport {
  return {
    ...transport,
    parse(section) {
      const target = transport.parse(section)
      if (target === null) return null
      const fate = blocks.get(section.replace('memory:', '')) ?? 'open'
      if (fate === 'open') return target
      return {
        async dial(context) {
          if (fate === 'refused') throw new MultiserverError('CONNECT_FAILED', 'blocked')
          return interfere(await target.dial(context), fate)
        },
      }
    },
  }
}

function interfere(stream: ByteStream, fate: Exclude<Fate, string>): ByteStream {
  return tapWrites(stream, (chunk, offset) => {
    if ('cutAt' in fate) {
      if (offset + chunk.length > fate.cutAt) stream.abort()
      return chunk
    }
    const at = fate.flipAt - offset
    if (at >= 0 && at < chunk.length) chunk[at] = (chunk[at] ?? 0) ^ 1
    return chunk
  })
}
