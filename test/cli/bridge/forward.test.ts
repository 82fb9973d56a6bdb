import { afterEach, describe, expect, it, vi } from 'vitest'
import { defaultLimits, type BridgeLimits } from '../../../cli/bridge/config.ts'
import { parseFarEnd } from '../../../cli/bridge/far-end.ts'
import { startForward } from '../../../cli/bridge/forward.ts'
import { createBridgeLog } from '../../../cli/bridge/log.ts'
import { fromText } from '../../../core/bytes.ts'
import { MultiServer, type Connection } from '../../../core/multiserver.ts'
import { generateKeys, keyToString } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import tunnel from '../../../plugs/tunnel/index.ts'
import { failure } from '../../support/failure.ts'
import { freePort } from '../../support/fixed-port.ts'

const keys = {
  server: await generateKeys(),
  bridge: await generateKeys(),
  forward: await generateKeys(),
  client: await generateKeys(),
}
const server = keyToString(keys.server.publicKey)
const bridge = keyToString(keys.bridge.publicKey)
const open: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('a forward', () => {
  it('leads to the far end, which proves its key through it', async () => {
    const { dial, lines } = await forwardTo(`${await echo()}~shs:${server}`)
    const connection = await dial()
    expect(connection.remote).toEqual(keys.server.publicKey)
    await connection.write(fromText('hello'))
    expect(await connection.read()).toEqual(fromText('hello'))
    await connection.close()
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/^#1 ended; \d+ bytes there, \d+ back/))
  })

  it('leads through the tunnel of another bridge, which is shown the key of this one', async () => {
    const allow = vi.fn(() => true)
    const to = await echo()
    const port = await freePort()
    const place = net({ host: '127.0.0.1', port })
    await start(MultiServer([[place, shs2({ keys: keys.bridge }), tunnel({ to: () => to, allow })]]))
    const { dial } = await forwardTo(`net:127.0.0.1:${port}~shs2:${bridge}~tunnel:${server}~shs:${server}`)
    const connection = await dial()
    expect(connection.remote).toEqual(keys.server.publicKey)
    expect(allow).toHaveBeenCalledWith(keys.forward.publicKey, keys.server.publicKey)
    connection.abort()
  })

  it('is busy with as many connections as it may have, and takes another once one is gone', async () => {
    const { dial, lines } = await forwardTo(`${await echo()}~shs:${server}`, { connections: 1 })
    const first = await dial()
    await failure(dial())
    expect(lines.at(-1)).toMatch(/^net:127.0.0.1:0: BUSY/)
    first.abort()
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/^#1 broke/))
    const again = await dial()
    again.abort()
  })

  it('breaks the connection when the far end can not be reached, and says why', async () => {
    const { dial, lines } = await forwardTo(`net:127.0.0.1:9~shs:${server}`)
    await failure(dial())
    expect(lines).toEqual([expect.stringMatching(/^net:127.0.0.1:0: CONNECT_FAILED: .*ECONNREFUSED/)])
  })

  it('ends what is open when it is closed', async () => {
    const { dial, close } = await forwardTo(`${await echo()}~shs:${server}`)
    const connection = await dial()
    const reading = failure(connection.read())
    await close()
    expect((await reading).code).not.toBe('TIMEOUT')
    await failure(dial())
  })
})

async function forwardTo(to: string, limits: Partial<BridgeLimits> = {}) {
  const far = parseFarEnd(to)
  if (far === null) throw new Error(`${to} is no far end`)
  const lines: string[] = []
  const log = createBridgeLog((line) => lines.push(line))
  const config = { listen: 'net:127.0.0.1:0', to, far }
  const context = { keys: keys.forward, appKey: undefined, limits: { ...defaultLimits, ...limits }, log }
  const running = await startForward(config, context)
  open.push(() => running.close())
  const [address = ''] = running.addresses
  const old = MultiServer([[net({ listen: false }), shs({ keys: keys.client })]])
  return { lines, close: () => running.close(), dial: () => old.client(address) }
}

/** A server that has a port and sends back what it gets; gives its transport's section. */
async function echo(): Promise<string> {
  const ms = MultiServer([[net({ host: '127.0.0.1' }), shs({ keys: keys.server })]])
  await start(ms, async (connection) => {
    for await (const chunk of connection) await connection.write(chunk)
    await connection.close()
  })
  return ms.stringify().split('~')[0] ?? ''
}

async function start(ms: MultiServer, onConnection: (connection: Connection) => unknown = () => undefined) {
  const close = ms.server(onConnection, () => undefined)
  open.push(close)
  await close.listening
}
