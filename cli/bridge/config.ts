import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseAddress } from '../../core/address.ts'
import { fromBase64, toHex } from '../../core/bytes.ts'
import { hubUrlOf } from '../../core/hub-name.ts'
import { limits } from '../../core/limits.ts'
import { parseBare } from '../../plugs/tunnel/dial-bare.ts'
import { CliError } from '../failures.ts'
import { dialTransports } from '../stacks.ts'
import { parseFarEnd, type FarEnd } from './far-end.ts'
import { readJson, type Reading } from './reading.ts'
import type { Allowed } from '../flags.ts'
import type { Bytes } from '../../core/types.ts'

/** What the file of a bridge says, checked, with its defaults. */
export interface BridgeConfig {
  /** The file with the key of the bridge. */
  readonly keyFile: string
  /** Base64 of 32 bytes. */
  readonly appKey: string | undefined
  /** Where clients of the tunnels get in: `rtc:HUB`, `net:HOST:PORT`, `ws://HOST:PORT`, `unix:PATH`. */
  readonly doors: readonly string[]
  readonly tunnels: readonly TunnelConfig[]
  readonly forwards: readonly ForwardConfig[]
  readonly limits: BridgeLimits
}

/** A server that the bridge leads to. */
export interface TunnelConfig {
  readonly server: Bytes
  /** Where it is, without any transform. */
  readonly to: string
  readonly allow: Allowed
}

/** A place where old software connects, and where its bytes go. */
export interface ForwardConfig {
  readonly listen: string
  /** As the file has it. */
  readonly to: string
  readonly far: FarEnd
}

export interface BridgeLimits {
  readonly tunnels: number
  readonly tunnelsPerClient: number
  /** Connections of each forward, and those of one source address. */
  readonly connections: number
  readonly connectionsPerSource: number
  readonly dialSeconds: number
  readonly idleSeconds: number
}

export const defaultLimits: BridgeLimits = {
  tunnels: limits.tunnel.open,
  tunnelsPerClient: limits.tunnel.openPerClient,
  connections: limits.tunnel.open,
  connectionsPerSource: limits.tunnel.openPerClient,
  dialSeconds: limits.tunnel.dialTimeoutMs / 1000,
  idleSeconds: limits.tunnel.idleMs / 1000,
}

/** @throws CliError that names the place in the file and what to write there */
export async function loadBridgeConfig(file: string): Promise<BridgeConfig> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new CliError(
      'usage',
      `can not read the configuration: ${why}`,
      'See docs/bridge.md for one.',
      thrown,
    )
  }
  return parseBridgeConfig(text, file)
}

/** @param file its name, for errors, and for paths in it: they begin at its folder */
export function parseBridgeConfig(text: string, file: string): BridgeConfig {
  const root = readJson(text, file).fields([
    'key',
    'appKey',
    'hubs',
    'listen',
    'tunnels',
    'forwards',
    'limits',
  ])
  const config = {
    keyFile: resolve(
      dirname(file),
      root.required('key').text('the path of a file, as of `multiserver keygen`'),
    ),
    appKey: root.optional('appKey')?.check(isAppKey, 'the base64 of 32 bytes'),
    doors: [...root.list('hubs').map(readHub), ...root.list('listen').map(readDoor)],
    tunnels: root.list('tunnels').map(readTunnel),
    forwards: root.list('forwards').map(readForward),
    limits: readLimits(root.optional('limits')),
  }
  const { doors, tunnels, forwards } = config
  refuseTwice(
    root.list('tunnels'),
    tunnels.map(({ server }) => toHex(server)),
    'server',
  )
  refuseTwice(
    root.list('forwards'),
    forwards.map(({ listen }) => listen),
    'listen',
  )
  if (tunnels.length === 0 && forwards.length === 0)
    throw root.error('serves nothing', 'add tunnels or forwards')
  if (tunnels.length > 0 && doors.length === 0) {
    throw root.error('has tunnels, and nothing says where clients come in', 'add hubs, or listen')
  }
  return config
}

function readHub(reading: Reading): string {
  return `rtc:${reading.check((text) => hubUrlOf(text) !== null, 'a host such as hub.example.com, or a ws:// or wss:// URL')}`
}

function readDoor(reading: Reading): string {
  return reading.check((text) => isSection(text, listenable), 'net:HOST:PORT, ws://HOST:PORT or unix:PATH')
}

function readTunnel(reading: Reading): TunnelConfig {
  const fields = reading.fields(['server', 'to', 'allow'])
  const expected = 'where the server is, as in net:10.0.0.5:8008'
  return {
    server: fields.required('server').key(),
    to: fields.required('to').check((text) => isSection(text, dialable) && canDial(text), expected),
    allow: readAllow(fields.required('allow')),
  }
}

function readAllow(reading: Reading): Allowed {
  return reading.value === 'anyone'
    ? 'anyone'
    : reading.items('a list of keys, or "anyone"').map((item) => item.key())
}

function readForward(reading: Reading): ForwardConfig {
  const fields = reading.fields(['listen', 'to'])
  const listen = readDoor(fields.required('listen'))
  const to = fields.required('to')
  const far = typeof to.value === 'string' ? parseFarEnd(to.value) : null
  if (far === null)
    throw to.unexpected(
      'an address that ends in a key, rtc:HUB~shs:KEY or rtc:HUB~shs2:BRIDGE~tunnel:KEY~shs:KEY',
    )
  return { listen, to: String(to.value), far }
}

function readLimits(reading: Reading | undefined): BridgeLimits {
  const fields = reading?.fields(Object.keys(defaultLimits))
  const read = (name: keyof BridgeLimits) =>
    fields?.optional(name)?.wholeNumber(1, 1_000_000) ?? defaultLimits[name]
  return {
    tunnels: read('tunnels'),
    tunnelsPerClient: read('tunnelsPerClient'),
    connections: read('connections'),
    connectionsPerSource: read('connectionsPerSource'),
    dialSeconds: read('dialSeconds'),
    idleSeconds: read('idleSeconds'),
  }
}

const listenable = ['net', 'ws', 'unix']
/** Of the servers of tunnels: what proves no key, and needs none to be found. */
const dialable = ['net', 'ws', 'wss', 'unix', 'utp', 'onion']

function isSection(text: string, names: readonly string[]): boolean {
  try {
    const [first, ...more] = parseAddress(text)
    return first?.length === 1 && more.length === 0 && names.includes(first[0].name)
  } catch {
    return false
  }
}

function canDial(text: string): boolean {
  try {
    parseBare(text, dialTransports({}))
    return true
  } catch {
    return false
  }
}

function isAppKey(text: string): boolean {
  return fromBase64(text)?.length === 32
}

function refuseTwice(readings: readonly Reading[], names: readonly string[], field: string): void {
  const second = names.findIndex((name, index) => names.indexOf(name) !== index)
  const reading = readings[second]
  if (reading !== undefined) throw reading.error(`has the ${field} of another`, 'leave one of them out')
}
