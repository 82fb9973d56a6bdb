import { readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultLimits, parseBridgeConfig } from '../../cli/bridge/config.ts'
import { BridgeDaemon } from '../../cli/bridge/daemon.ts'
import { createBridgeLog } from '../../cli/bridge/log.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { generateKeys, keyToString, type Keys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { deferred } from '../support/deferred.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manual = await readFile(join(root, 'docs/bridge.md'), 'utf8')
const example = await readExample('bridge.json')
const open: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

/** What the programs of the page export. */
interface ClientProgram {
  readonly connect: (address: string, keys: Keys) => Promise<Connection>
}
interface BridgeProgram {
  readonly bridge: (
    hub: string,
    keys: Keys,
    servers: Map<string, string>,
    clients: Set<string>,
  ) => (() => Promise<void>) & { readonly listening: Promise<void> }
}

describe('docs/bridge.md', () => {
  it('shows what is in examples/bridge', async () => {
    const shown = [...manual.matchAll(/```js(?:on)?\n(.*?)```/gs)].map(([, code]) => code)
    const names = ['bridge.json', 'client.mjs', 'program.mjs']
    expect(shown).toEqual(await Promise.all(names.map(readExample)))
  })

  it('has an example by which a peer behind a hub reaches the server, and old software the peer', async () => {
    const keys = {
      server: await generateKeys(),
      bridge: await generateKeys(),
      client: await generateKeys(),
      page: await generateKeys(),
    }
    const hub = await runHub()
    const [server = '', client = '', page = ''] = example.match(/[\w+/]{43}=/g) ?? []
    const text = example
      .replaceAll(server, keyToString(keys.server.publicKey))
      .replaceAll(client, keyToString(keys.client.publicKey))
      .replaceAll(page, keyToString(keys.page.publicKey))
      .replace('wss://hub.example.com', hub.url)
      .replace('rtc:hub.example.com', rtcSection(hub))
      .replace('net:10.0.0.5:8008', await serve(keys.server))
      .replace('127.0.0.1:8009', '127.0.0.1:0')
    await listen(MultiServer([[rtc({ hub: hub.url }), shs({ keys: keys.page })]]))
    const { tunnel, forward } = await runDaemon(text, keys.bridge)
    const { connect } = (await loadExample('client.mjs')) as ClientProgram
    const connection = await connect(await tunnel, keys.client)
    expect(connection.remote).toEqual(keys.server.publicKey)
    expect(await answerOf(connection)).toBe('welcome')
    const old = MultiServer([[net({ listen: false }), shs({ keys: keys.client })]])
    const forwarded = await old.client(await forward)
    expect(forwarded.remote).toEqual(keys.page.publicKey)
    expect(await answerOf(forwarded)).toBe('welcome')
  })

  it('has a program that is a bridge, and one that goes through it', async () => {
    const keys = { server: await generateKeys(), bridge: await generateKeys(), client: await generateKeys() }
    const hub = await runHub()
    const { bridge } = (await loadExample('program.mjs')) as BridgeProgram
    const { connect } = (await loadExample('client.mjs')) as ClientProgram
    const server = keyToString(keys.server.publicKey)
    const servers = new Map([[server, await serve(keys.server)]])
    const close = bridge(hub.url, keys.bridge, servers, new Set([keyToString(keys.client.publicKey)]))
    open.push(close)
    await close.listening
    const through = `${rtcSection(hub)}~shs2:${keyToString(keys.bridge.publicKey)}`
    const connection = await connect(`${through}~tunnel:${server}~shs:${server}`, keys.client)
    expect(await answerOf(connection)).toBe('welcome')
  })

  it('has every limit, with its default', () => {
    const table = manual.split('<!-- limits -->')[1]?.split('<!-- /limits -->')[0] ?? ''
    const rows = [...table.matchAll(/^\| `(\w+)` +\| +(\d+) \|/gm)]
    expect(Object.fromEntries(rows.map(([, name, value]) => [name, Number(value)]))).toEqual(defaultLimits)
  })
})

function readExample(name: string): Promise<string> {
  return readFile(join(root, 'examples/bridge', name), 'utf8')
}

function loadExample(name: string): Promise<unknown> {
  return import(pathToFileURL(join(root, 'examples/bridge', name)).href)
}

async function runHub(): Promise<RunningHub> {
  const hub = await startHub({ port: 0, exemptLoopback: true })
  open.push(() => hub.close())
  return hub
}

function rtcSection({ url }: RunningHub): string {
  return url.replace('ws://', 'rtc:')
}

/** The addresses that it prints. */
async function runDaemon(
  text: string,
  keys: Keys,
): Promise<{ tunnel: Promise<string>; forward: Promise<string> }> {
  const [tunnel, forward] = [deferred<string>(), deferred<string>()]
  const onAddress = (address: string) => (address.startsWith('rtc:') ? tunnel : forward).resolve(address)
  const config = parseBridgeConfig(text, join(root, 'bridge.json'))
  const daemon = new BridgeDaemon(config, { keys, onAddress, log: createBridgeLog(() => undefined) })
  open.push(() => daemon.close())
  await daemon.apply(config)
  return { tunnel: tunnel.promise, forward: forward.promise }
}

/** A server that has a port of this machine and nothing else; gives its transport's section. */
async function serve(keys: Keys): Promise<string> {
  const ms = MultiServer([[net({ host: '127.0.0.1' }), shs({ keys })]])
  await listen(ms)
  return ms.stringify().split('~')[0] ?? ''
}

async function listen(ms: MultiServer): Promise<void> {
  const close = ms.server(async (connection) => {
    await connection.write(new TextEncoder().encode('welcome'))
    await connection.close()
  })
  open.push(close)
  await close.listening
}

async function answerOf(connection: Connection): Promise<string> {
  let text = ''
  for await (const chunk of connection) text += new TextDecoder().decode(chunk)
  await connection.close()
  return text
}
