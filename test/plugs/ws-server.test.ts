import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import shs from '../../plugs/shs/index.ts'
import ws, { type WsOptions } from '../../plugs/ws.ts'
import { cert, key } from '../support/certificate.ts'
import { failure } from '../support/failure.ts'
import { dial, listen, nextAccepted } from '../support/listening.ts'

const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

describe('ws on a server of your own', () => {
  it('shares it with other routes and other WebSockets, and leaves it open', async () => {
    const server = await startHttp()
    const { port } = server.address() as AddressInfo
    const [one, two] = [await start({ server, path: '/one' }), await start({ server, path: '/two' })]
    expect(one.address).toBe(`ws://localhost:${port}/one`)
    expect(two.address).toBe(`ws://localhost:${port}/two`)
    expect(await echo(one.address)).toBe('hello')
    expect(await echo(two.address)).toBe('hello')
    expect(await get(port)).toMatchObject({ status: 200, text: 'the app' })
    await one.close()
    expect(await echo(two.address)).toBe('hello')
    expect(server.listening).toBe(true)
  })

  it('works on the server of a Fastify app', async () => {
    const app = Fastify({ forceCloseConnections: true })
    app.get('/', () => 'the app')
    const { address } = await start({ server: app.server, path: '/peers' }, () => app.listen({ port: 0 }))
    open.push(() => app.close())
    const { port } = app.server.address() as AddressInfo
    expect(address).toBe(`ws://localhost:${port}/peers`)
    expect(await echo(address)).toBe('hello')
    expect(await get(port)).toMatchObject({ text: 'the app' })
  })
})

describe('ws on a server that it makes', () => {
  it('gives plain requests to the handler', async () => {
    const { address } = await start({ handler: (_request, response) => void response.end('hello there') })
    const port = Number(new URL(address).port)
    expect(await get(port)).toMatchObject({ status: 200, text: 'hello there' })
    expect(await echo(address)).toBe('hello')
  })

  it('answers 404 to WebSockets at other paths', async () => {
    const { address } = await start({ path: '/here' })
    expect(await echo(address)).toBe('hello')
    const error = await failure(MultiServer([ws()]).client(address.replace('/here', '/there')))
    expect(error).toMatchObject({ code: 'DIAL_FAILED', message: expect.stringContaining('404') })
  })

  it('sends headers of its own when it dials', async () => {
    const server = await startHttp()
    const heard = once(server, 'upgrade')
    await start({ server })
    const { port } = server.address() as AddressInfo
    const dialer = MultiServer([ws({ headers: { 'x-token': 'secret' } })])
    const connection = await dialer.client(`ws://localhost:${port}`)
    const [{ headers }] = (await heard) as [{ headers: Record<string, string> }]
    expect(headers['x-token']).toBe('secret')
    await connection.close()
  })

  it('speaks wss with a key and a certificate, as PEM or as paths, or on an https server', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'multiserver-tls-'))
    open.push(() => rm(folder, { recursive: true }))
    const paths = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
    await Promise.all([writeFile(paths.key, key), writeFile(paths.cert, cert)])
    const server = createHttpsServer({ key, cert }).listen(0, 'localhost')
    await once(server, 'listening')
    open.push(() => server.close())
    for (const options of [{ key, cert }, paths, { server }]) {
      const { address } = await start(options)
      expect(address).toMatch(/^wss:\/\/localhost:\d+$/)
      // Whom to trust is told to a process when it starts.
      const script = `
        import MultiServer from 'multiserver'
        import ws from 'multiserver/plugs/ws'
        const connection = await MultiServer([ws()]).client('${address}')
        await connection.write(new TextEncoder().encode('hello'))
        console.log(new TextDecoder().decode(await connection.read()))
        await connection.close()`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        cwd: join(import.meta.dirname, '../..'),
        env: { ...process.env, NODE_EXTRA_CA_CERTS: paths.cert },
      })
      expect(stdout).toBe('hello\n')
      expect(await failure(MultiServer([ws()]).client(address))).toMatchObject({ code: 'DIAL_FAILED' })
    }
  })

  it('says LISTEN_FAILED when a file is not there', async () => {
    const close = MultiServer([ws({ key: '/nowhere/key.pem', cert: '/nowhere/cert.pem' })]).server(
      () => undefined,
      () => undefined,
    )
    expect(await failure(close.listening)).toMatchObject({ code: 'LISTEN_FAILED' })
    await close()
  })

  it('prints whole URLs of external as they are, and leaves out the ports that go without saying', () => {
    const external = ['wss://example.com/peers', 'example.org']
    expect(MultiServer([ws({ scope: 'public', external, port: 80 })]).stringify('public')).toBe(
      'wss://example.com/peers;ws://example.org',
    )
    const secure = ws({ scope: 'public', external: 'example.org', port: 443, key, cert })
    expect(MultiServer([secure]).stringify('public')).toBe('wss://example.org')
  })
})

describe('origins', () => {
  it.each([
    ['a bare ws', undefined, 'https://evil.example', 403],
    ['a bare ws', undefined, 'null', 403],
    ['a bare ws', undefined, 'http://localhost:8080', 101],
    ['a bare ws', undefined, undefined, 101],
    ['a bare ws', ['https://good.example'], 'https://good.example', 101],
    ['a bare ws', ['https://good.example'], 'http://localhost:8080', 403],
    ['ws~shs', undefined, 'https://anybody.example', 101],
    ['ws~shs', ['https://good.example'], 'https://anybody.example', 403],
  ])('%s with origins %j answers a page of %s with %i', async (kind, origins, origin, status) => {
    const stack =
      kind === 'ws~shs' ? ([ws({ origins }), shs({ keys: await generateKeys() })] as const) : ws({ origins })
    const server = MultiServer([stack])
    const close = server.server(() => undefined)
    open.push(close)
    await close.listening
    expect(await knock(server.stringify().replace(/~.*/, ''), origin)).toBe(status)
  })
})

it('a WebSocket that is refused leaves no connection, whatever its client keeps open', async () => {
  const server = await startHttp()
  const { port } = server.address() as AddressInfo
  await start({ server, origins: [] })
  const client = connect({ port, allowHalfOpen: true })
  open.push(() => client.destroy())
  client.write(
    [
      'GET / HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Origin: https://evil.example',
      '\r\n',
    ].join('\r\n'),
  )
  const [answer] = await once(client, 'data')
  expect(String(answer)).toContain('403')
  await once(client, 'end')
  await expect.poll(promisify(server.getConnections.bind(server))).toBe(0)
})

describe('the source that handshakes are counted by', () => {
  it.each([
    ['of this machine is not counted', [], '203.0.113.9', undefined],
    ['is what a trusted proxy saw last', ['127.0.0.1'], '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['skips proxies of ours', ['127.0.0.1', '10.0.0.1'], '203.0.113.9, 10.0.0.1', '203.0.113.9'],
    ['is a /56 of IPv6', ['127.0.0.1'], '2001:db8:1:2:3::4', '2001:db8:1::/56'],
  ])('%s', async (_name, trustProxy, forwarded, source) => {
    const listening = await listen(ws({ trustProxy, host: '127.0.0.1' }))
    open.push(() => listening.listener.close())
    const headers = { 'x-forwarded-for': forwarded }
    const stream = await dial(ws({ headers }), `ws://127.0.0.1:${listening.port}`)
    expect((await nextAccepted(listening)).info?.source).toBe(source)
    stream.abort()
  })
})

interface Started {
  /** Known once its server listens. */
  readonly address: string
  readonly close: () => Promise<void>
}

async function start(options: WsOptions, listenLater?: () => Promise<unknown>): Promise<Started> {
  const ms = MultiServer([ws(options)])
  const close = ms.server(async (connection) => {
    for await (const chunk of connection) await connection.write(chunk)
    await connection.end()
  })
  open.push(close)
  await close.listening
  await listenLater?.()
  return { address: ms.stringify(), close }
}

async function startHttp(): Promise<Server> {
  const server = createServer((_request, response) => void response.end('the app'))
  server.listen(0)
  await once(server, 'listening')
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return server
}

async function echo(address: string): Promise<string> {
  const connection = await MultiServer([ws()]).client(address)
  await connection.write(fromText('hello'))
  const chunk = await connection.read()
  await connection.close()
  return new TextDecoder().decode(chunk ?? undefined)
}

function get(port: number): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    request({ port, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
      .on('error', reject)
      .end()
  })
}

/** The status that a page of `origin` gets. */
function knock(address: string, origin: string | undefined): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, origin === undefined ? {} : { origin })
    socket.on('open', () => {
      resolve(101)
      socket.terminate()
    })
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode)
      response.destroy()
    })
    socket.on('error', reject)
  })
}
