import { describe, expect, it } from 'vitest'
import type { RunningHub } from '../../../signal-server/index.ts'
import { defaultLimits, type HubLimits } from '../../../signal-server/limits.ts'
import { type HubClient, newId } from '../hub-client.ts'
import { connectTo, join, nextOf, start, welcomed } from './started.ts'

interface LimitCase {
  /** The limit whose value is the number that is reached. */
  limit: keyof HubLimits
  /** In place of the default, where reaching that would take too long. */
  small?: number
  /** Of other limits, so that this one is met first. */
  beside?: Partial<Record<keyof HubLimits, number>>
  exemptLoopback?: boolean
  /** Does `n` of what is limited; gives what was answered to the last of them. */
  reach: (started: RunningHub, n: number) => Promise<string>
  within: string
  over: string
}

/** No rate gives anything back while a test runs. */
const never = 0.001

const unknown = '{"type":"x"}'

const cases: Record<string, LimitCase> = {
  'sockets that have not registered, of all addresses': {
    limit: 'unregisteredSockets',
    small: 3,
    exemptLoopback: true,
    reach: openSockets,
    within: 'welcome',
    over: '503',
  },
  'sockets that have not registered, of one address': {
    limit: 'unregisteredSocketsPerAddress',
    reach: openSockets,
    within: 'welcome',
    over: '503',
  },
  'sockets of one address': {
    limit: 'socketsPerAddress',
    small: 3,
    reach: joinPeers,
    within: 'registered',
    over: '503',
  },
  'new sockets of one address': {
    limit: 'newSocketsBurstPerAddress',
    beside: { newSocketsPerSecondPerAddress: never },
    reach: joinPeers,
    within: 'registered',
    over: '429',
  },
  'HTTP requests of one address in one breath': {
    limit: 'requestsBurstPerAddress',
    small: 3,
    beside: { requestsPerSecondPerAddress: never },
    reach: ({ url }, n) => askFor(url, '/livez', n),
    within: '200',
    over: '429',
  },
  'HTTP requests of one address for what is not there': {
    limit: 'requestsBurstPerAddress',
    small: 3,
    beside: { requestsPerSecondPerAddress: never },
    reach: ({ url }, n) => askFor(url, '/nowhere', n),
    within: '404',
    over: '429',
  },
  'registered peers': {
    limit: 'registeredPeers',
    small: 3,
    reach: joinPeers,
    within: 'registered',
    over: 'BUSY',
  },
  'anonymous peers': {
    limit: 'anonymousPeers',
    small: 3,
    reach: (started, n) => introduceTo(started, n, { targets: 1, clients: n }),
    within: 'introduced',
    over: 'BUSY',
  },
  'registrations in one breath': {
    limit: 'registrationsBurst',
    small: 3,
    beside: { registrationsPerSecond: never },
    reach: joinPeers,
    within: 'registered',
    over: 'restarting',
  },
  'bytes of a message': {
    limit: 'messageBytes',
    reach: async (started, n) => answerTo(await welcomed(started), padded(n)),
    within: 'UNKNOWN_MESSAGE',
    over: '1009',
  },
  'bytes of a message, where the operator wants less': {
    limit: 'messageBytes',
    small: 1_000,
    reach: async (started, n) => answerTo(await welcomed(started), padded(n)),
    within: 'UNKNOWN_MESSAGE',
    over: '1009',
  },
  'fragments of a message': {
    limit: 'messageFragments',
    async reach(started, n) {
      const client = await welcomed(started)
      const pieces = [...Array.from({ length: n - 1 }, () => ' '), unknown]
      for (const [index, piece] of pieces.entries()) client.socket.send(piece, { fin: index === n - 1 })
      return nextOf(client)
    },
    within: 'UNKNOWN_MESSAGE',
    over: '1008',
  },
  'characters of data': {
    limit: 'dataCharacters',
    reach: (started, n) => signalOf(started, n),
    within: 'signal',
    over: 'INVALID',
  },
  'characters of data, where the operator wants less': {
    limit: 'dataCharacters',
    small: 100,
    reach: (started, n) => signalOf(started, n),
    within: 'signal',
    over: 'INVALID',
  },
  'messages of a peer in one breath': {
    limit: 'messagesBurst',
    beside: { messagesPerSecond: never, floodMs: 100 },
    reach: async (started, n) =>
      say(
        await welcomed(started),
        Array.from({ length: n }, () => unknown),
      ),
    within: 'UNKNOWN_MESSAGE',
    over: '4029',
  },
  'bytes of a peer in one breath': {
    limit: 'bytesBurst',
    small: 2_000,
    beside: { bytesPerSecond: never, floodMs: 100 },
    reach: async (started, n) => say(await welcomed(started), [padded(1_500), padded(n - 1_500)]),
    within: 'UNKNOWN_MESSAGE',
    over: '4029',
  },
  'messages of one address, as of so many peers': {
    limit: 'peersWorthPerAddress',
    small: 3,
    beside: { messagesPerSecond: never, messagesBurst: 1, floodMs: 100 },
    reach: sayOneEach,
    within: 'UNKNOWN_MESSAGE',
    over: '4029',
  },
  'bytes of one address, as of so many peers': {
    limit: 'peersWorthPerAddress',
    small: 3,
    beside: { bytesPerSecond: never, bytesBurst: unknown.length, floodMs: 100 },
    reach: sayOneEach,
    within: 'UNKNOWN_MESSAGE',
    over: '4029',
  },
  'introductions of one address in one breath': {
    limit: 'introductionsBurstPerAddress',
    beside: {
      introductionsPerSecondPerAddress: never,
      introductionsPerAddress: 100,
      introductionsPerTargetAndAddress: 100,
    },
    reach: (started, n) => introduceTo(started, n, { targets: 1, clients: 1 }),
    within: 'introduced',
    over: 'RATE',
  },
  'live introductions of one address': {
    limit: 'introductionsPerAddress',
    reach: (started, n) => introduceTo(started, n, { targets: 2, clients: 2 }),
    within: 'introduced',
    over: 'BUSY',
  },
  'live introductions to one target': {
    limit: 'introductionsPerTarget',
    exemptLoopback: true,
    reach: (started, n) => introduceTo(started, n, { targets: 1, clients: 8 }),
    within: 'introduced',
    over: 'BUSY',
  },
  'live introductions of one address to one target': {
    limit: 'introductionsPerTargetAndAddress',
    beside: { introductionsPerAddress: 100 },
    reach: (started, n) => introduceTo(started, n, { targets: 1, clients: 2 }),
    within: 'introduced',
    over: 'BUSY',
  },
  'signals of a client': {
    limit: 'signalsPerSide',
    reach: (started, n) => signalsOf(started, n, 'client'),
    within: 'signal',
    over: 'QUOTA',
  },
  'signals of a server peer': {
    limit: 'signalsPerSide',
    reach: (started, n) => signalsOf(started, n, 'server'),
    within: 'signal',
    over: 'QUOTA',
  },
}

describe.each(Object.entries(cases))(
  '%s',
  (_what, { limit, small, beside, exemptLoopback, reach, within, over }) => {
    const bound = small ?? defaultLimits[limit]
    const limits = { ...beside, ...(small === undefined ? {} : { [limit]: small }) }

    it.each([
      [`${bound - 1}: ${within}`, bound - 1, within],
      [`${bound}: ${within}`, bound, within],
      [`${bound + 1}: ${over}`, bound + 1, over],
    ])('%s', async (_title, n, seen) => {
      const started = await start({ limits, exemptLoopback })
      expect(await reach(started, n)).toBe(seen)
    })
  },
)

it('every limit is told in welcome and at /limits, under the same names, as it is', async () => {
  const started = await start({ limits: { signalsPerSide: 7 } })
  const expected = { ...defaultLimits, signalsPerSide: 7 }
  expect((await connectTo(started).next('welcome')).limits).toEqual(expected)
  const told = await started.app.inject({ url: '/limits', headers: { host: 'localhost' } })
  expect(told.json()).toEqual(expected)
})

async function openSockets(started: RunningHub, n: number): Promise<string> {
  let seen = ''
  for (let index = 0; index < n; index += 1) seen = await nextOf(connectTo(started))
  return seen
}

async function askFor(url: string, path: string, n: number): Promise<string> {
  let seen = ''
  for (let index = 0; index < n; index += 1) {
    const response = await fetch(`${url.replace('ws', 'http')}${path}`)
    await response.text()
    seen = String(response.status)
  }
  return seen
}

async function joinPeers(started: RunningHub, n: number): Promise<string> {
  let seen = ''
  for (let index = 0; index < n; index += 1) seen = (await join(started)).answer
  return seen
}

function answerTo(client: HubClient, text: string): Promise<string> {
  client.socket.send(text)
  return nextOf(client)
}

/** An unknown message of exactly so many bytes. */
function padded(bytes: number): string {
  return unknown.padEnd(bytes)
}

async function say(client: HubClient, texts: readonly string[]): Promise<string> {
  for (const text of texts) client.socket.send(text)
  let seen = ''
  for (const _ of texts) seen = await nextOf(client)
  return seen
}

/** `n` sockets, each of which says one thing. */
async function sayOneEach(started: RunningHub, n: number): Promise<string> {
  let seen = ''
  for (let index = 0; index < n; index += 1) seen = await answerTo(await welcomed(started), unknown)
  return seen
}

/** `n` introductions, dealt out to so many targets and clients. */
async function introduceTo(
  started: RunningHub,
  n: number,
  { targets, clients }: { targets: number; clients: number },
): Promise<string> {
  const servers = []
  for (let index = 0; index < targets; index += 1) servers.push(await join(started))
  const dialing: HubClient[] = []
  for (let index = 0; index < clients; index += 1) dialing.push(await welcomed(started))
  let seen = ''
  for (let index = 0; index < n; index += 1) {
    const client = dialing[index % clients]
    const server = servers[index % targets]
    if (client === undefined || server === undefined) throw new RangeError('nobody to introduce')
    client.send({ type: 'introduce', id: newId(), to: server.keys.key })
    seen = await nextOf(client)
  }
  return seen
}

async function signalOf(started: RunningHub, characters: number): Promise<string> {
  const { client, server, id } = await introduced(started)
  client.send({ type: 'signal', id, data: 'x'.repeat(characters) })
  return Promise.race([nextOf(server), nextOf(client)])
}

async function signalsOf(started: RunningHub, n: number, side: 'client' | 'server'): Promise<string> {
  const { client, server, id } = await introduced(started)
  const [from, to] = side === 'client' ? [client, server] : [server, client]
  const refused = nextOf(from)
  refused.catch(() => undefined)
  let seen = ''
  for (let index = 0; index < n; index += 1) {
    from.send({ type: 'signal', id, data: 'x' })
    seen = await Promise.race([nextOf(to), refused])
  }
  return seen
}

async function introduced(started: RunningHub) {
  const { client: server, keys } = await join(started)
  const client = await welcomed(started)
  const id = newId()
  client.send({ type: 'introduce', id, to: keys.key })
  await client.next('introduced')
  await server.next('incoming')
  return { client, server, id }
}
