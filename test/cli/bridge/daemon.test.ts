import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseBridgeConfig, type BridgeConfig } from '../../../cli/bridge/config.ts'
import { BridgeDaemon } from '../../../cli/bridge/daemon.ts'
import { createBridgeLog } from '../../../cli/bridge/log.ts'
import { MultiServer, type Connection } from '../../../core/multiserver.ts'
import { generateKeys, keyToString } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import tunnel from '../../../plugs/tunnel/index.ts'
import unix from '../../../plugs/unix.ts'
import { deferred } from '../../support/deferred.ts'
import { failure } from '../../support/failure.ts'

const keys = { bridge: await generateKeys(), server: await generateKeys(), client: await generateKeys() }
const server = keyToString(keys.server.publicKey)
const other = keyToString((await generateKeys()).publicKey)
const open: (() => Promise<unknown>)[] = []
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bridge-daemon-'))
})
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
  await rm(folder, { recursive: true })
})

it('tells each address once, those that a new configuration brings too', async () => {
  const { daemon, told } = await start(configOf({ tunnels: [tunnelTo(server)] }))
  expect(told).toEqual([through(server)])
  await daemon.apply(configOf({ tunnels: [tunnelTo(server), tunnelTo(other)] }))
  expect(told).toEqual([through(server), through(other)])
})

it('stops what a new configuration does not have, and starts it again', async () => {
  const forwards = [{ listen: `unix:${join(folder, 'old')}`, to: `net:127.0.0.1:9~shs:${server}` }]
  const { daemon } = await start(configOf({ tunnels: [tunnelTo(server)], forwards }))
  await daemon.apply(configOf({ tunnels: [], forwards }))
  const refused = await failure(dial())
  expect(refused.attempts).toMatchObject([{ code: 'CONNECT_FAILED' }])
  await daemon.apply(configOf({ tunnels: [tunnelTo(server)], forwards }))
  expect((await failure(dial())).attempts).toMatchObject([{ code: 'TUNNEL_UNREACHABLE' }])
})

it('does the rest of a configuration of which something can not listen, and says what', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  open.push(() => new Promise((resolve) => taken.close(resolve)))
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const forwards = [{ listen: `net:127.0.0.1:${port}`, to: `net:127.0.0.1:9~shs:${server}` }]
  const { daemon, told } = create(configOf({ tunnels: [tunnelTo(server)], forwards }))
  const error = await failure(daemon.apply(configOf({ tunnels: [tunnelTo(server)], forwards })))
  expect(error.message).toContain('EADDRINUSE')
  expect(told).toEqual([through(server)])
})

it('cuts off a tunnel that was still opening when it ceased to be allowed', async () => {
  const arrived = deferred<Connection>()
  const ms = MultiServer([[net({ host: '127.0.0.1' }), shs({ keys: keys.server })]])
  const close = ms.server(arrived.resolve, () => undefined)
  open.push(close)
  await close.listening
  const to = ms.stringify().split('~')[0] ?? ''
  const { daemon, lines } = await start(configOf({ tunnels: [tunnelTo(server, to)] }))
  const dialing = failure(dial())
  // The request is on its way or granted, and the tunnel not yet open: whichever it is, no tunnel may remain.
  await daemon.apply(configOf({ tunnels: [{ ...tunnelTo(server, to), allow: [] }] }))
  await dialing
  const count = (word: string) => lines.filter((line) => line.includes(word)).length
  await expect.poll(() => count('open:') - count('broke')).toBe(0)
})

function tunnelTo(key: string, to = 'net:127.0.0.1:9') {
  return { server: key, to, allow: 'anyone' as string | string[] }
}

function configOf(fields: { tunnels: ReturnType<typeof tunnelTo>[]; forwards?: object[] }): BridgeConfig {
  const listen = fields.tunnels.length > 0 ? [`unix:${join(folder, 'door')}`] : []
  return parseBridgeConfig(
    JSON.stringify({ key: 'key.json', listen, ...fields }),
    join(folder, 'bridge.json'),
  )
}

function through(key: string): string {
  const bridge = keyToString(keys.bridge.publicKey)
  return `unix:${join(folder, 'door')}~shs2:${bridge}~tunnel:${key}~shs:${key}`
}

function dial(): Promise<Connection> {
  const secret = shs2({ keys: keys.client })
  const stack = [unix({ listen: false }), secret, tunnel(), shs({ keys: keys.client })] as const
  return MultiServer([stack]).client(through(server))
}

function create(config: BridgeConfig) {
  const told: string[] = []
  const lines: string[] = []
  const log = createBridgeLog((line) => lines.push(line))
  const daemon = new BridgeDaemon(config, {
    keys: keys.bridge,
    log,
    onAddress: (address) => told.push(address),
  })
  open.push(() => daemon.close())
  return { daemon, told, lines }
}

async function start(config: BridgeConfig) {
  const created = create(config)
  await created.daemon.apply(config)
  return created
}
