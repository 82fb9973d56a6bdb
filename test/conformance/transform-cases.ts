import { equalBytes } from '../../core/bytes.ts'
import { createPair } from '../../core/pair.ts'
import { check, checkEqual, rejection, type Case } from './case.ts'
import type { ByteStream, Secured, Transform } from '../../core/types.ts'

export interface TransformHarness {
  /** A server's end with a key of its own, and a client's with another. */
  readonly create: () => Promise<{ client: Transform; server: Transform }>
  /** Whether each side shows its key to the other, encrypts, and says goodbye. @default true */
  readonly provesKeys?: boolean | undefined
  /** The client's and the server's end of a stream to put them on. @default one in memory */
  readonly pair?: (() => Promise<[ByteStream, ByteStream]>) | undefined
}

const { signal } = new AbortController()

/** What every transform does. */
export const transformCases: readonly Case<TransformHarness>[] = [
  {
    name: 'proves each side to the other',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server, secured } = await secure(harness)
      const [atClient, atServer] = secured
      check(
        equal(atClient.remote, server.identity?.publicKey),
        'the client was not shown the key of the server',
      )
      check(
        equal(atServer.remote, client.identity?.publicKey),
        'the server was not shown the key of the client',
      )
      atClient.stream.abort()
      atServer.stream.abort()
    },
  },
  {
    name: 'parses the section that it prints, key and all',
    skip: withoutKeys,
    run: async (harness) => {
      const { server, client } = await harness.create()
      const target = client.parse(server.section())
      check(equal(target?.key, server.identity?.publicKey), `${server.section()} gives another key`)
    },
  },
  {
    name: 'understands what it prints',
    run: async (harness) => {
      const { server, client } = await harness.create()
      check(client.parse(server.section()) !== null, `${server.section()} does not parse`)
    },
  },
  {
    name: 'takes a stream on either side, and gives one that carries bytes',
    run: async (harness) => {
      const [client, server] = (await secure(harness)).secured
      await client.stream.write(Uint8Array.of(1, 2, 3))
      checkEqual((await server.stream.read())?.join(), '1,2,3', 'what was read')
      client.stream.abort()
      server.stream.abort()
    },
  },
  {
    name: 'answers null to sections of others and to nonsense',
    run: async (harness) => {
      const { client } = await harness.create()
      const own = harness.provesKeys === false ? [] : [client.name, `${client.name}:AAAA`]
      for (const text of [...own, '', `${client.name}:`, 'nobody:x', ':', '!', '\u0000']) {
        checkEqual(client.parse(text), null, JSON.stringify(text))
      }
    },
  },
  {
    name: 'rejects on both sides when the server has another key than the address',
    skip: withoutKeys,
    run: async (harness) => {
      const [one, other] = [await harness.create(), await harness.create()]
      const [near, far] = await pairOf(harness)
      const connecting = one.client.parse(other.server.section())?.connect(near, { signal })
      const accepting = one.server.accept(far, { signal })
      await Promise.all([rejection(Promise.resolve(connecting), 'connect'), rejection(accepting, 'accept')])
      await Promise.all([near.closed, far.closed])
    },
  },
  {
    name: 'rejects when the peer ends in the middle of the handshake',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server } = await harness.create()
      for (const start of starters(client, server)) {
        const [near, far] = await pairOf(harness)
        const handshake = start(near)
        far.end().catch(() => undefined)
        await rejection(handshake, 'the handshake')
        far.abort()
        await near.closed
      }
    },
  },
  {
    name: 'rejects garbage instead of a handshake',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server } = await harness.create()
      for (const start of starters(client, server)) {
        const [near, far] = await pairOf(harness)
        const rejected = rejection(start(near), 'the handshake')
        await far.write(new Uint8Array(4096).fill(0x5a)).catch(() => undefined)
        await rejected
        await near.closed
      }
    },
  },
  {
    name: 'rejects when its stream is aborted in the middle of the handshake',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server } = await harness.create()
      for (const start of starters(client, server)) {
        const [near, far] = await pairOf(harness)
        const handshake = start(near)
        near.abort()
        await rejection(handshake, 'the handshake')
        far.abort()
      }
    },
  },
  {
    name: 'puts no byte of the plaintext on the wire',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server } = await harness.create()
      const [near, far] = await pairOf(harness)
      const seen: Uint8Array[] = []
      const tapped: ByteStream = {
        ...bind(near),
        write: (chunk) => {
          seen.push(chunk.slice())
          return near.write(chunk)
        },
      }
      const target = client.parse(server.section())
      check(target !== null, 'the printed section does not parse')
      const [a, b] = await Promise.all([target.connect(tapped, { signal }), server.accept(far, { signal })])
      const secret = new TextEncoder().encode('a sentence that nobody may read on the way')
      await a.stream.write(secret)
      await b.stream.read()
      const wire = String.fromCharCode(...seen.flatMap((chunk) => [...chunk]))
      check(
        !wire.includes(String.fromCharCode(...secret.subarray(0, 8))),
        'plaintext was written to the wire',
      )
      a.stream.abort()
      b.stream.abort()
    },
  },
  {
    name: 'reports a transport that ends without a goodbye',
    skip: withoutKeys,
    run: async (harness) => {
      const { client, server } = await harness.create()
      const [near, far] = await pairOf(harness)
      const target = client.parse(server.section())
      check(target !== null, 'the printed section does not parse')
      const [a, b] = await Promise.all([target.connect(near, { signal }), server.accept(far, { signal })])
      far.end().catch(() => undefined)
      const error = await rejection(a.stream.read(), 'a read')
      checkEqual('code' in error && error.code, 'TRUNCATED', 'the code')
      a.stream.abort()
      b.stream.abort()
    },
  },
]

function withoutKeys({ provesKeys = true }: TransformHarness): string | undefined {
  return provesKeys ? undefined : 'this transform proves no keys'
}

/** Both ends of a stream that the transforms have secured. */
export async function secure(
  harness: TransformHarness,
): Promise<{ client: Transform; server: Transform; secured: [Secured, Secured] }> {
  const { client, server } = await harness.create()
  const [near, far] = await pairOf(harness)
  const target = client.parse(server.section())
  check(target !== null, `${server.section()} does not parse`)
  const secured = await Promise.all([target.connect(near, { signal }), server.accept(far, { signal })])
  return { client, server, secured }
}

function pairOf({ pair }: TransformHarness): Promise<[ByteStream, ByteStream]> {
  return pair === undefined ? Promise.resolve(createPair()) : pair()
}

function starters(client: Transform, server: Transform): ((stream: ByteStream) => Promise<unknown>)[] {
  return [
    (stream) => Promise.resolve(client.parse(server.section())?.connect(stream, { signal })),
    (stream) => server.accept(stream, { signal }),
  ]
}

function bind(stream: ByteStream): ByteStream {
  return {
    read: () => stream.read(),
    write: (chunk) => stream.write(chunk),
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
    closed: stream.closed,
  }
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b)
}
