import { formatSection, parseSection } from '../../core/address.ts'
import { MultiserverError } from '../../core/errors.ts'
import { check, checkEqual, rejection, type Case } from './case.ts'
import type { ByteStream, ListenContext, Listener, Transport } from '../../core/types.ts'

export interface TransportHarness {
  /** A transport that can listen at a place of its own. */
  readonly create: () => Transport
  /** A section of this transport where nobody listens. */
  readonly deadSection: string
  /** What the transport needs of the stack, where it needs anything. */
  readonly identity?: ListenContext['identity']
  readonly remoteKey?: Uint8Array | undefined
}

/** What every transport does that can listen. */
export const transportCases: readonly Case<TransportHarness>[] = [
  {
    name: 'parses what it prints, and prints what can be parsed',
    run: (harness) =>
      listening(harness, ({ transport, section }) => {
        const parsed = parseSection(section)
        check(parsed !== null, `${section} is no section`)
        checkEqual(
          parseSection(formatSection(parsed))?.data.join(),
          parsed.data.join(),
          'formatted and parsed',
        )
        check(transport.parse(section) !== null, `it does not understand ${section}, which it prints`)
        return Promise.resolve()
      }),
  },
  {
    name: 'answers null to sections of others and to nonsense',
    run: (harness) => {
      const transport = harness.create()
      for (const text of [
        '',
        ':',
        '!',
        'nobody:x',
        `${transport.name}x`,
        'shs:AAAA',
        ';',
        '~',
        'net:::::x',
        '\u0000',
      ]) {
        checkEqual(transport.parse(text), null, JSON.stringify(text))
      }
      return Promise.resolve()
    },
  },
  {
    name: 'hands over each accepted stream, and tells its ends apart',
    run: (harness) =>
      listening(harness, async ({ dial, accepted }) => {
        const [first, second] = [await dial(), await dial()]
        const [one, two] = [await accepted(), await accepted()]
        await first.write(Uint8Array.of(1))
        await second.write(Uint8Array.of(2))
        const bytes = [await one.read(), await two.read()].map((chunk) => chunk?.[0])
        checkEqual(bytes.join(), '1,2', 'what the two accepted streams read')
        for (const stream of [first, second, one, two]) stream.abort()
        await Promise.all([first, second, one, two].map((stream) => stream.closed))
      }),
  },
  {
    name: 'rejects with a code where nobody listens',
    run: async (harness) => {
      const target = harness.create().parse(harness.deadSection)
      check(target !== null, `it does not understand ${harness.deadSection}`)
      const signal = new AbortController().signal
      const error = await rejection(
        target.dial({ signal, transforms: ['shs'], remoteKey: harness.remoteKey }),
        'a dial to nobody',
      )
      check(error instanceof MultiserverError, `${error.message} has no code`)
    },
  },
  {
    name: 'gives up a dial that is aborted before it starts',
    run: (harness) =>
      listening(harness, async ({ transport, section }) => {
        const reason = new MultiserverError('ABORTED', 'changed my mind')
        const target = transport.parse(section)
        const dialing = target?.dial({
          signal: AbortSignal.abort(reason),
          transforms: ['shs'],
          remoteKey: harness.remoteKey,
        })
        const outcome = await Promise.resolve(dialing).catch((error: unknown) => error)
        // A transport that is connected at once may be quicker than the signal: then the stream must be abortable.
        if (outcome instanceof Error) checkEqual(outcome, reason, 'the rejection')
        else (outcome as ByteStream).abort()
      }),
  },
  {
    name: 'accepts nobody any more once it is closed, and keeps what is open',
    run: async (harness) => {
      const { transport, section, dial, accepted, listener } = await listen(harness)
      const client = await dial()
      const server = await accepted()
      await listener.close()
      await client.write(Uint8Array.of(7))
      checkEqual((await server.read())?.[0], 7, 'a byte over the connection that was open')
      const target = transport.parse(section)
      const signal = new AbortController().signal
      if (target !== null) {
        const toNobody = { signal, transforms: ['shs'], remoteKey: harness.remoteKey }
        await rejection(target.dial(toNobody), 'a dial after close')
      }
      for (const stream of [client, server]) stream.abort()
      await Promise.all([client.closed, server.closed])
    },
  },
  {
    name: 'listens again after it was closed',
    run: async (harness) => {
      const transport = harness.create()
      for (let round = 0; round < 2; round++) {
        const listener = await transport.listen?.(() => undefined, context(harness))
        await listener?.close()
      }
    },
  },
]

interface Listening {
  readonly transport: Transport
  readonly section: string
  readonly listener: Listener
  readonly dial: () => Promise<ByteStream>
  readonly accepted: () => Promise<ByteStream>
}

async function listening(
  harness: TransportHarness,
  run: (listening: Listening) => Promise<void>,
): Promise<void> {
  const started = await listen(harness)
  try {
    await run(started)
  } finally {
    await started.listener.close()
  }
}

export async function listen(harness: TransportHarness): Promise<Listening> {
  const transport = harness.create()
  const arrived: ByteStream[] = []
  const waiting: ((stream: ByteStream) => void)[] = []
  const listener = await transport.listen?.((stream) => {
    const next = waiting.shift()
    if (next === undefined) arrived.push(stream)
    else next(stream)
  }, context(harness))
  check(listener !== undefined, `${transport.name} can't listen`)
  const section = listener.addresses('device')[0]
  check(section !== undefined, 'a listener on this device prints no address')
  const target = transport.parse(section)
  check(target !== null, `it does not understand ${section}`)
  const { signal } = new AbortController()
  return {
    transport,
    section,
    listener,
    dial: () => target.dial({ signal, transforms: ['shs'], remoteKey: harness.remoteKey }),
    accepted: () => {
      const stream = arrived.shift()
      return stream === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(stream)
    },
  }
}

/** Both ends of a connection of its own, the client's first; nothing listens any more. */
export async function connectOver(harness: TransportHarness): Promise<[ByteStream, ByteStream]> {
  const { dial, accepted, listener } = await listen(harness)
  const client = await dial()
  const server = await accepted()
  await listener.close()
  return [client, server]
}

function context(harness: TransportHarness): ListenContext {
  return {
    signal: new AbortController().signal,
    identity: harness.identity,
    transforms: ['shs'],
    onError: () => undefined,
    onConnectionError: () => undefined,
  }
}
