import { once } from 'node:events'
import { createServer, request, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Compose } from '../../compat/compose.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Ws } from '../../compat/plugins/ws.ts'
import { deferred } from '../support/deferred.ts'
import { collect } from '../streams/pull-streams.ts'
import { abort, ask, dial, echoInCapitals, freePort, serverShs, start, stop } from './setup.ts'

const answer: RequestListener = (_request, response) => response.end('a page')

describe('a plugin alone', () => {
  it('is client and server, with what parse gives and with text', async () => {
    const net = Net({ port: await freePort() })
    const close = await start(
      { server: (accept, _onError, started) => net.server(accept, started) as never },
      echoInCapitals,
    )
    const text = net.stringify() ?? ''
    for (const target of [text, net.parse(text)]) {
      const connected = deferred<Parameters<typeof ask>[0]>()
      net.client(target as string, (_error, stream) => stream && connected.resolve(stream))
      expect(await ask(await connected.promise, 'alone')).toBe('ALONE')
    }
    await stop(close)
  })

  it('gives the error of the system when nobody listens', async () => {
    const failed = deferred<unknown>()
    Net().client({ host: 'localhost', port: await freePort() }, (error) => failed.resolve(error))
    expect(await failed.promise).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('says so when it is to listen where somebody does', async () => {
    const port = await freePort()
    const [first, second] = [Compose([Net({ port }), serverShs()]), Compose([Net({ port }), serverShs()])]
    const close = await start(first, () => undefined)
    await expect(start(second, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await stop(close)
  })
})

describe('ws', () => {
  it('shares a server that exists, prints its port, and closes it', async () => {
    const server = createServer(answer).listen(0, 'localhost')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const stack = Compose([Ws({ server }), serverShs()])
    const close = await start(stack, echoInCapitals)
    expect(stack.stringify()).toMatch(`ws://localhost:${port}~shs:`)
    expect(await ask(await dial(stack, stack.stringify()), 'shared')).toBe('SHARED')
    const page = await fetch(`http://localhost:${port}/`, { headers: { connection: 'close' } })
    expect(await page.text()).toBe('a page')
    const closed = once(server, 'close')
    await stop(close)
    await closed
  })

  it('lets its handler answer plain requests, and pages of any origin connect to shs', async () => {
    const port = await freePort()
    const close = await start(
      Compose([Ws({ port, handler: answer }), serverShs()]),
      echoInCapitals,
      () => undefined,
    )
    const page = await fetch(`http://localhost:${port}/`, { headers: { connection: 'close' } })
    expect(await page.text()).toBe('a page')
    const upgrade = { connection: 'upgrade', upgrade: 'websocket', origin: 'https://example.com' }
    const key = { 'sec-websocket-key': Buffer.alloc(16).toString('base64'), 'sec-websocket-version': '13' }
    const upgrading = request({ host: 'localhost', port, headers: { ...upgrade, ...key } }).end()
    const [response, socket] = (await once(upgrading, 'upgrade')) as [
      { statusCode: number },
      { destroy(): void },
    ]
    expect(response.statusCode).toBe(101)
    socket.destroy()
    await stop(close)
  })

  it('ends the connections that it accepted when it is closed', async () => {
    const stack = Compose([Ws({ port: await freePort() })])
    const accepted = deferred<Parameters<typeof ask>[0]>()
    const close = await start(stack, accepted.resolve)
    const stream = await dial(stack, stack.stringify())
    await accepted.promise
    const reading = collect(stream.source)
    await stop(close)
    expect(await reading).toHaveLength(0)
  })
})

it('aborting a stream calls back when it is gone', async () => {
  const stack = Compose([Net({ port: await freePort() }), serverShs()])
  const close = await start(stack, echoInCapitals)
  await abort(await dial(stack, stack.stringify()))
  await stop(close)
})
