import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { copy, equalBytes, fromHex } from '../../core/bytes.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { defaultAppKey } from '../../plugs/app-key.ts'
import { generateKeys, keyToString, type Keys } from '../../plugs/keys.ts'
import { rtc } from '../../plugs/rtc/index.ts'
import { shs2 } from '../../plugs/shs2/index.ts'
import { fromPull } from '../../plugs/streams.ts'
import { tunnel } from '../../plugs/tunnel/index.ts'
import type { ByteStream, Transform, Transport } from '../../core/types.ts'
import type { PullDuplex } from '../../plugs/pull.ts'

export interface BridgedOldPeerOptions {
  /** The hub that the bridge registers at. */
  readonly hub: string
  /** Who the old peer is, and who the bridge is. @default new keys */
  readonly key?: Keys | undefined
  readonly bridgeKey?: Keys | undefined
  /** Who has come through the bridge; `remote` is the key that was proved to the old peer. */
  readonly onConnection: (connection: Connection) => void
}

export interface BridgedOldPeer {
  /** `rtc:HUB~shs2:BRIDGE~tunnel:KEY~shs:KEY` */
  readonly address: string
  close(): Promise<void>
}

/**
 * A real multiserver 3.8.2, on `net~shs` at a port of this machine and nowhere else, and a bridge that leads those who come
 * through the hub to it. Null where the package `multiserver-3.8.2` is not installed: it comes with this repository only.
 *
 * @throws LISTEN_FAILED
 */
export async function startBridgedOldPeer(options: BridgedOldPeerOptions): Promise<BridgedOldPeer | null> {
  const old = loadOld()
  if (old === null) return null
  const { hub, key = await generateKeys(), bridgeKey = await generateKeys(), onConnection } = options
  const port = await freePort()
  const closeOld = MultiServer([oldStack(old, key, port)]).server(onConnection)
  const to = (serverKey: Uint8Array) =>
    equalBytes(serverKey, key.publicKey) ? `net:127.0.0.1:${port}` : undefined
  const entrance = rtc({ hub })
  const closeBridge = MultiServer([[entrance, shs2({ keys: bridgeKey }), tunnel({ to })]]).server(
    () => undefined,
  )
  const close = async () => void (await Promise.all([closeBridge(), closeOld()]))
  try {
    await Promise.all([closeOld.listening, closeBridge.listening])
  } catch (thrown) {
    await close()
    throw thrown
  }
  const [section = ''] = entrance.addresses('device')
  const [bridge, server] = [keyToString(bridgeKey.publicKey), keyToString(key.publicKey)]
  return { address: `${section}~shs2:${bridge}~tunnel:${server}~shs:${server}`, close }
}

/** The parts of 3.8.2 that are used. */
interface Old {
  createServer(stacks: readonly (readonly unknown[])[]): {
    server(
      onConnection: (stream: OldStream) => void,
      onError: (error: Error) => void,
      onStarted: (error?: Error | null) => void,
    ): (callback: () => void) => void
  }
  net(options: object): unknown
  shs(options: object): unknown
}

type OldStream = PullDuplex & { readonly remote: Uint8Array }

function loadOld(): Old | null {
  const require = createRequire(import.meta.url)
  try {
    return {
      createServer: require('multiserver-3.8.2') as Old['createServer'],
      net: require('multiserver-3.8.2/plugins/net') as Old['net'],
      shs: require('multiserver-3.8.2/plugins/shs') as Old['shs'],
    }
  } catch {
    return null
  }
}

/** Its handshake is done when it gives a stream: the transform only hands over whose key was proved. */
function oldStack(old: Old, key: Keys, port: number): readonly [Transport, Transform] {
  const proved = new WeakMap<ByteStream, Uint8Array>()
  const secret = {
    keys: { publicKey: Buffer.from(key.publicKey), secretKey: Buffer.from(key.secretKey) },
    appKey: Buffer.from(fromHex(defaultAppKey)),
    auth: (_key: Uint8Array, callback: (error: null, auth: boolean) => void) => callback(null, true),
  }
  const transport: Transport = {
    name: 'net',
    halfClose: true,
    reach: ['device'],
    parse: () => null,
    addresses: () => [],
    listen: (accept, { onConnectionError }) =>
      new Promise((resolve, reject) => {
        const place = { host: '127.0.0.1', port, scope: 'device' }
        const close = old.createServer([[old.net(place), old.shs(secret)]]).server(
          (pull) => {
            const stream = fromPull(pull)
            proved.set(stream, copy(pull.remote))
            accept(stream)
          },
          onConnectionError,
          (error) =>
            error ? reject(error) : resolve({ addresses: () => [], close: () => new Promise(close) }),
        )
      }),
  }
  const transform: Transform = {
    name: 'shs',
    strength: 1,
    section: () => '',
    parse: () => null,
    accept: (inner) => Promise.resolve({ stream: inner, remote: proved.get(inner) }),
  }
  return [transport, transform]
}

/** 3.8.2 can not be told to let the system choose. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
