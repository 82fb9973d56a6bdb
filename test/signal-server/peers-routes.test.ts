import { afterEach, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import { AddressRates } from '../../signal-server/address-rates.ts'
import { readCommand } from '../../signal-server/options.ts'
import { startHub, type RunningHub, type StartHubOptions } from '../../signal-server/index.ts'
import { generateKeys, type Keys } from '../../plugs/keys.ts'
import { recordOf, registerWith } from '../support/records.ts'
import { HubClient } from './hub-client.ts'
import type { Bytes } from '../../core/types.ts'

const running: RunningHub[] = []
const clients: HubClient[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((hub) => hub.close()))
  await Promise.all(clients.splice(0).map((client) => client.closed))
})

async function start(options: StartHubOptions = {}): Promise<RunningHub> {
  const hub = await startHub(options)
  running.push(hub)
  return hub
}

/** A socket that has registered `keys` with `record`. */
async function publishAt(hub: RunningHub, keys: Keys, record: Bytes): Promise<HubClient> {
  const client = new HubClient(hub.url)
  clients.push(client)
  await registerWith(client, hub, keys, record)
  return client
}

function get(hub: RunningHub, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${hub.url.replace(/^ws/, 'http')}${path}`, { headers })
}

describe('GET /peers/:key', () => {
  it('gives the record as its bytes, to pages of any origin that the hub serves', async () => {
    const hub = await start()
    const keys = await generateKeys()
    const record = await recordOf(keys, { sequence: Date.now() })
    await publishAt(hub, keys, record)
    const response = await get(hub, `/peers/${toBase64Url(keys.publicKey)}`, {
      origin: 'http://localhost:5173',
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(record)
  })

  it('says the same of one that was never here, has expired, was withdrawn, or is no key', async () => {
    const hub = await start()
    const [expired, withdrawn, unknown] = [await generateKeys(), await generateKeys(), await generateKeys()]
    const sequence = Date.now()
    await publishAt(hub, expired, await recordOf(expired, { sequence, expiresAtMs: sequence - 1000 }))
    await publishAt(hub, withdrawn, await recordOf(withdrawn, { sequence, addresses: [] }))
    const names = [expired, withdrawn, unknown].map(({ publicKey }) => toBase64Url(publicKey))
    const answers = await Promise.all(
      [...names, 'x', `${'A'.repeat(42)}B`].map(async (name) => {
        const response = await get(hub, `/peers/${name}`)
        const headers = [...response.headers].filter(([header]) => header !== 'date')
        return { status: response.status, headers, body: await response.text() }
      }),
    )
    expect(answers[0]?.status).toBe(404)
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('is for this machine only when the hub is', async () => {
    const hub = await start()
    expect((await get(hub, '/peers/x', { origin: 'https://example.com' })).status).toBe(403)
  })

  it('is under the prefix of the hub, and there is no page of it by default', async () => {
    const hub = await start({ prefix: '/hub' })
    const { hostname, port } = new URL(hub.url)
    const status = async (path: string) => (await fetch(`http://${hostname}:${port}${path}`)).status
    expect(await Promise.all(['/hub/peers', '/hub/peers/x', '/peers'].map(status))).toEqual([404, 404, 404])
  })

  it('answers as often as its rate allows, then 429 and when to come back', async () => {
    const hub = await start({ limits: { lookupsBurstPerAddress: 3, lookupsPerSecondPerAddress: 0.001 } })
    const statuses = []
    for (let index = 0; index < 4; index += 1) statuses.push((await get(hub, '/peers/x')).status)
    expect(statuses).toEqual([404, 404, 404, 429])
    const refused = await get(hub, '/peers')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(900)
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    expect((await get(hub, '/limits')).status).toBe(200)
  })

  it('does not limit loopback where the operator says so', async () => {
    const hub = await start({
      exemptLoopback: true,
      limits: { lookupsBurstPerAddress: 1, lookupsPerSecondPerAddress: 0.001 },
    })
    for (let index = 0; index < 4; index += 1) expect((await get(hub, '/peers/x')).status).toBe(404)
  })
})

describe('GET /peers', () => {
  it('gives listed records, each behind its length, from a key on', async () => {
    const hub = await start({ listing: true })
    const published = []
    for (const listed of [true, true, false]) {
      const keys = await generateKeys()
      const record = await recordOf(keys, { sequence: Date.now(), listed })
      await publishAt(hub, keys, record)
      published.push({ name: toBase64Url(keys.publicKey), record, listed })
    }
    const [first, second] = published
      .filter(({ listed }) => listed)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    if (first === undefined || second === undefined) throw new Error('two are listed')
    const page = async (query: string) =>
      Buffer.from(await (await get(hub, `/peers${query}`)).arrayBuffer()).toString('hex')
    const framed = (record: Bytes) =>
      record.length.toString(16).padStart(4, '0') + Buffer.from(record).toString('hex')
    expect(await page('')).toBe(framed(first.record) + framed(second.record))
    expect(await page(`?after=${first.name}`)).toBe(framed(second.record))
    expect(await page(`?after=${second.name}`)).toBe('')
    for (const query of ['?after=x', '?after=a&after=b', `?after=${first.name}x`]) {
      expect((await get(hub, `/peers${query}`)).status).toBe(400)
    }
  })

  it('is turned on by LISTING=1, and by nothing else', () => {
    expect(readCommand([], { LISTING: '1' }).options.listing).toBe(true)
    for (const LISTING of ['0', 'no']) expect(readCommand([], { LISTING }).options.listing).toBe(false)
    for (const LISTING of ['', undefined])
      expect(readCommand([], { LISTING }).options.listing).toBeUndefined()
  })
})

describe('the rates of addresses', () => {
  const rate = { perSecond: 10, burst: 50 }

  it.each([
    [49, 0],
    [50, 0],
    [51, 100],
  ])('let the last of %i at once wait %i ms', (count, waitMs) => {
    const rates = new AddressRates({ rate, addresses: 100, exemptLoopback: false })
    const waits = Array.from({ length: count }, () => rates.take('192.0.2.1', 0))
    expect(waits.at(-1)).toBe(waitMs)
    expect(rates.take('192.0.2.2', 0)).toBe(0)
  })

  it('forget addresses that have recovered, and others when there are too many', () => {
    const rates = new AddressRates({ rate, addresses: 3, exemptLoopback: false })
    for (const source of ['a', 'b', 'c', 'd']) rates.take(source, 0)
    expect(rates.size).toBe(3)
    rates.take('e', 1000)
    expect(rates.size).toBe(1)
  })

  it('do not hold loopback where it is exempt', () => {
    const rates = new AddressRates({ rate, addresses: 3, exemptLoopback: true })
    const waits = Array.from({ length: 100 }, () => rates.take('127.0.0.1', 0))
    expect(waits.at(-1)).toBe(0)
    expect(rates.size).toBe(0)
  })
})
