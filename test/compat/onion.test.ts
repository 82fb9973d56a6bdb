import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { OnionOptions } from '../../compat/plugins/onion.ts'
import { collect, pull } from '../streams/pull-streams.ts'
import { hasMicrosocks, microsocks, startMicrosocks } from '../support/microsocks.ts'
import { ours, theirs, type Multiserver } from './both.ts'
import { acceptEverybody, appKey, ask, dial, echoInCapitals, freePort, keys, start, stop } from './setup.ts'

const open: (() => unknown)[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of open.splice(0).toReversed()) await close()
})

describe.skipIf(!hasMicrosocks)(`onion through ${microsocks}`, () => {
  it.each([
    ['a server of ours', ours, []],
    ['a server of 3.8.2', theirs, []],
    ['a server of ours, with a password', ours, ['-u', 'user', '-P', 'secret word']],
    ['a server of 3.8.2, with a password', theirs, ['-u', 'user', '-P', 'secret word']],
  ])('takes a client of ours to %s', async (_what, servers, options) => {
    const address = await listen(servers)
    const { proxy } = await startProxy(...options)
    const client = createClient(ours, { proxy, username: options[1], password: options[3] })
    const stream = await dial(client, address)
    expect(stream.address).toBe(address)
    expect(stream.remote).toEqual(keys.server.publicKey)
    expect(await ask(stream, 'through the proxy')).toBe('THROUGH THE PROXY')
  })

  it('takes a client of 3.8.2 to a server of ours', async () => {
    const address = await listen(ours)
    const { port } = await startProxy()
    toldAnotherPort(port)
    const stream = await dial(createClient(theirs), address)
    expect(stream.remote).toEqual(keys.server.publicKey)
    // With its own end it cuts the other direction too, so that it stays open until it is answered.
    let isSent = false
    const source = (abort: unknown, callback: (end: unknown, chunk?: Buffer) => void) => {
      if (abort) return callback(abort)
      if (!isSent) callback(null, Buffer.from('through the proxy'))
      isSent = true
    }
    expect((await collect(source, stream, pull.take(1))).toString()).toBe('THROUGH THE PROXY')
  })

  it('is an error where the password is wrong', async () => {
    const { proxy } = await startProxy('-u', 'user', '-P', 'secret word')
    const client = createClient(ours, { proxy, username: 'user', password: 'guess' })
    await expect(dial(client, await listen(ours))).rejects.toThrow('refused the user name and the password')
  })
})

it('aborting a dial through a proxy that says nothing calls back once', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  open.push(() => silent.close())
  const accepted = once(silent, 'connection')
  const onClient = vi.fn()
  const proxy = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const key = keys.server.publicKey.toString('base64')
  const abort = createClient(ours, { proxy }).client(`onion:abc.onion:1~shs:${key}`, onClient)
  const [socket] = await accepted
  abort()
  await once(socket.resume(), 'close')
  expect(onClient).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
})

function createClient({ MultiServer, plugins, Shs }: Multiserver, options?: OnionOptions) {
  const shs = Shs({ keys: keys.client, appKey, auth: () => undefined, timeout: 5000 })
  return MultiServer([[plugins.onion(options), shs]])
}

/** What a client of onion dials to reach a server of net. */
async function listen({ MultiServer, plugins, Shs }: Multiserver): Promise<string> {
  const shs = Shs({ keys: keys.server, appKey, auth: acceptEverybody, timeout: 5000 })
  const server = MultiServer([[plugins.net({ port: await freePort(), scope: 'device' }), shs]])
  const close = await start(server, echoInCapitals)
  open.push(() => stop(close))
  return server.stringify().replace('net:', 'onion:')
}

async function startProxy(...options: string[]) {
  const started = await startMicrosocks(...options)
  open.push(started.stop)
  return started
}

/** 3.8.2 knows the ports of Tor only; its SOCKS client is told this one. */
function toldAnotherPort(port: number): void {
  const { SocksClient } = createRequire(import.meta.url)('socks') as {
    SocksClient: { createConnection(options: { proxy: object }, callback: unknown): unknown }
  }
  const createConnection = SocksClient.createConnection.bind(SocksClient)
  vi.spyOn(SocksClient, 'createConnection').mockImplementation((options, callback) =>
    createConnection({ ...options, proxy: { ...options.proxy, port } }, callback),
  )
}
