import { afterEach, describe, expect, it } from 'vitest'
import { relayFrameBytes } from '../../../core/relay-protocol.ts'
import type { RunningHub } from '../../../signal-server/index.ts'
import { defaultLimits, type HubLimits } from '../../../signal-server/limits.ts'
import { type HubClient, newId } from '../hub-client.ts'
import { joinRelay, openCircuit, type RelayClient, type RelayTold } from '../relay-client.ts'
import { join, type Joined, start, welcomed } from './started.ts'

/** The rows of the relay, met at its sockets; times and rates are in relay.test.ts, where the test has the clock. */
interface RelayCase {
  bound: number
  limits?: Partial<Record<keyof HubLimits, number>>
  /** Does `n` of what is limited; gives what was answered to the last of them. */
  reach: (started: RunningHub, n: number) => Promise<string>
  within: string
  over: string
}

const ends: RelayClient[] = []
afterEach(() => {
  for (const { socket } of ends.splice(0)) socket.terminate()
})

const elsewhere = { headers: { 'x-forwarded-for': '192.0.2.1' } }

const cases: Record<string, RelayCase> = {
  'circuits of all peers together': {
    bound: 3,
    limits: { relayCircuits: 3 },
    reach: (started, n) => lastOf(n, async () => ask(started, await join(started))),
    within: 'relay',
    over: 'BUSY',
  },
  'circuits of a server': {
    bound: defaultLimits.relayCircuitsPerPeer,
    reach: async (started, n) => {
      const server = await join(started)
      return lastOf(n, async () => {
        const asked = await ask(started, server)
        // It counts for a server once the client has come.
        if (typeof asked !== 'string') ends.push(await joinRelay(asked[0]))
        return asked
      })
    },
    within: 'relay',
    over: 'QUOTA',
  },
  'circuits of a client': {
    bound: defaultLimits.relayCircuitsPerPeer,
    reach: (started, n) =>
      lastOf(n, async () => ask(started, await join(started), await welcomed(started, elsewhere))),
    within: 'relay',
    over: 'QUOTA',
  },
  'circuits of an address with one server, whatever its keys': {
    bound: defaultLimits.relayCircuitsPerPair,
    reach: async (started, n) => {
      const server = await join(started)
      return lastOf(n, async () => ask(started, server, (await join(started, elsewhere)).client))
    },
    within: 'relay',
    over: 'QUOTA',
  },
  'circuits of an address, whatever its keys': {
    bound: 3,
    limits: { relayCircuitsPerAddress: 3 },
    reach: (started, n) =>
      lastOf(n, async () => ask(started, await join(started), (await join(started, elsewhere)).client)),
    within: 'relay',
    over: 'QUOTA',
  },
  'bytes of a frame': {
    bound: relayFrameBytes,
    reach: async (started, n) => send(await circuit(started), [n]),
    within: 'passed',
    over: '1009',
  },
  'bytes of a circuit': {
    bound: 1_000,
    limits: { relayBytes: 1_000 },
    reach: async (started, n) => send(await circuit(started), [900, n - 900]),
    within: 'passed',
    over: '4002',
  },
  'bytes of a peer in a day': {
    bound: 1_000,
    limits: { relayBytesPerDayPerPeer: 1_000 },
    reach: async (started, n) => {
      const server = await join(started)
      await send(await circuit(started, server), [600])
      return send(await circuit(started, server), [n - 600])
    },
    within: 'passed',
    over: '4002',
  },
}

describe.each(Object.entries(cases))('%s', (_what, { bound, limits = {}, reach, within, over }) => {
  it.each([
    [`${bound - 1}: ${within}`, bound - 1, within],
    [`${bound}: ${within}`, bound, within],
    [`${bound + 1}: ${over}`, bound + 1, over],
  ])('%s', async (_title, n, seen) => {
    // Only who is elsewhere, or has a key, is counted then.
    const started = await start({ limits, exemptLoopback: true, trustProxy: ['127.0.0.1'] })
    expect(await reach(started, n)).toBe(seen)
  })
})

/** What both are told of a circuit for a new client of `server`, or the code of the refusal. */
async function ask(
  started: RunningHub,
  { client: server, keys }: Joined,
  from?: HubClient,
): Promise<[RelayTold, RelayTold] | string> {
  const client = from ?? (await welcomed(started))
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('introduced')
  await server.next('incoming')
  server.send({ type: 'relay', id })
  const answer = await server.nextOf('relay', 'error')
  return answer.type === 'error' ? answer.code : [await client.next('relay'), answer]
}

/** What the last of `n` was answered. */
async function lastOf(n: number, askAgain: () => Promise<[RelayTold, RelayTold] | string>): Promise<string> {
  let asked: [RelayTold, RelayTold] | string = ''
  for (let index = 0; index < n; index += 1) asked = await askAgain()
  return typeof asked === 'string' ? asked : 'relay'
}

async function circuit(started: RunningHub, server?: Joined): Promise<[RelayClient, RelayClient]> {
  const asked = await ask(started, server ?? (await join(started)))
  if (typeof asked === 'string') throw new Error(`refused: ${asked}`)
  const opened = await openCircuit(asked)
  ends.push(...opened)
  return opened
}

/** Sends frames of so many bytes, each once the one before has come through; what became of the last. */
async function send([one, other]: [RelayClient, RelayClient], frames: number[]): Promise<string> {
  const closed = one.closed.then(String)
  let seen = ''
  for (const [index, bytes] of frames.entries()) {
    one.socket.send(Buffer.alloc(bytes))
    const passed = other.until(() => other.frames.length > index).then(() => 'passed')
    seen = await Promise.race([passed, closed])
  }
  return seen
}
