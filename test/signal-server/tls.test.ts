import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { rememberAccept } from '../../signal-server/accept-times.ts'
import { Health, type RunningHub, startHub, type StartHubOptions } from '../../signal-server/index.ts'
import { nowMs } from '../../signal-server/sockets.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { makeCertificate, type MadeCertificate } from '../support/make-certificate.ts'
import { HubClient, testKeys } from './hub-client.ts'

const hubName = 'wss://localhost'

describe.skipIf(!canRun('openssl'))(`TLS in the box: ${titleOf('openssl')}`, () => {
  let folder: string
  let files: { certFile: string; keyFile: string }
  const running: RunningHub[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'multiserver-tls-'))
    await mkdir(join(folder, 'live'))
    files = { certFile: join(folder, 'live', 'fullchain.pem'), keyFile: join(folder, 'live', 'privkey.pem') }
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((hub) => hub.close()))
    await rm(folder, { recursive: true })
  })

  async function start(options: StartHubOptions = {}): Promise<RunningHub> {
    const hub = await startHub({ hubNames: [hubName], tls: files, ...options })
    running.push(hub)
    return hub
  }

  async function install({ cert, key }: MadeCertificate): Promise<void> {
    await writeFile(files.certFile, cert)
    await writeFile(files.keyFile, key)
  }

  /** What a new connection is shown. */
  async function shownBy(hub: RunningHub): Promise<string> {
    const socket = await openTls(hub)
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  it('registers and introduces over wss, with HTTP/1.1 and nothing else', async () => {
    const made = makeCertificate(folder)
    await install(made)
    const hub = await start()
    expect(hub.url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+$/)
    const client = new HubClient(hub.url, { ca: made.cert })
    await client.register(testKeys(), hubName)
    await client.leave()
    const socket = await openTls(hub, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect(socket.alpnProtocol).toBe('http/1.1')
    expect(socket.getProtocol()).toBe('TLSv1.3')
    socket.destroy()
    await expect(openTls(hub, { ALPNProtocols: ['h2'] })).rejects.toThrow(/alert|protocol/i)
    await expect(openTls(hub, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow(
      /alert|protocol/i,
    )
  })

  it.each([
    ['written over', (next: MadeCertificate) => install(next)],
    [
      'renamed into place, the key first',
      async ({ cert, key }: MadeCertificate) => {
        await writeFile(join(folder, 'new.key'), key)
        await writeFile(join(folder, 'new.crt'), cert)
        await rename(join(folder, 'new.key'), files.keyFile)
        await rename(join(folder, 'new.crt'), files.certFile)
      },
    ],
  ])('shows a new certificate when the files are %s, and keeps what is open', async (_how, replace) => {
    const [old, next] = [makeCertificate(folder), makeCertificate(folder)]
    await install(old)
    const hub = await start()
    const client = new HubClient(hub.url, { ca: old.cert })
    await client.register(testKeys(), hubName)
    expect(await shownBy(hub)).toBe(old.fingerprint)
    await replace(next)
    await vi.waitFor(async () => expect(await shownBy(hub)).toBe(next.fingerprint), { timeout: 10_000 })
    client.send({ type: 'introduce', id: 'A'.repeat(22), to: testKeys().key })
    expect(await client.next('error')).toMatchObject({ code: 'PEER_NOT_FOUND' })
    await client.leave()
  })

  it('follows symbolic links that are turned, as certbot does, more than once', async () => {
    const archive = join(folder, 'archive')
    await mkdir(archive)
    const turnTo = async ({ cert, key }: MadeCertificate, number: number) => {
      const [certFile, keyFile] = [join(archive, `cert${number}.pem`), join(archive, `key${number}.pem`)]
      await writeFile(certFile, cert)
      await writeFile(keyFile, key)
      for (const [link, target] of [
        [files.certFile, certFile],
        [files.keyFile, keyFile],
      ] as const) {
        await unlink(link).catch(() => undefined)
        await symlink(target, link)
      }
    }
    await turnTo(makeCertificate(folder), 1)
    const hub = await start()
    for (const number of [2, 3]) {
      const next = makeCertificate(folder)
      await turnTo(next, number)
      await vi.waitFor(async () => expect(await shownBy(hub)).toBe(next.fingerprint), { timeout: 10_000 })
    }
  })

  it('keeps the old one, says so and is degraded, while the files do not fit; and recovers', async () => {
    const [old, next] = [makeCertificate(folder), makeCertificate(folder)]
    await install(old)
    const stream = new PassThrough()
    const health = new Health()
    const hub = await start({ health, logger: { level: 'info', stream } })
    await copyFile(join(folder, 'made.crt'), files.certFile)
    await vi.waitFor(() => expect(health.report()).toEqual({ ready: true, degraded: ['tls'] }), {
      timeout: 10_000,
    })
    expect(await shownBy(hub)).toBe(old.fingerprint)
    expect(String(stream.read())).toContain('is not that of the certificate')
    for (const fitting of [old, next]) {
      await install(fitting)
      await vi.waitFor(() => expect(health.report()).toEqual({ ready: true }), { timeout: 10_000 })
      expect(await shownBy(hub)).toBe(fitting.fingerprint)
      expect(String(stream.read())).toContain('the certificate in the files is shown from now on')
      if (fitting === next) break
      await copyFile(join(folder, 'made.crt'), files.certFile)
      await vi.waitFor(() => expect(health.report().degraded).toEqual(['tls']), { timeout: 10_000 })
    }
  })

  it('does not start without a name, without files, and with a key of another certificate', async () => {
    // They are read at once: either may be missed first.
    await expect(start()).rejects.toThrow(/ENOENT.*(fullchain|privkey)\.pem/)
    await install(makeCertificate(folder))
    await expect(start({ hubNames: [] })).rejects.toThrow(/with TLS it needs hubNames/)
    await writeFile(files.keyFile, makeCertificate(folder).key)
    await expect(start()).rejects.toThrow(/privkey\.pem is not that of the certificate/)
  })

  describe('lets go of a socket that is not registered in time, whatever it waits with:', () => {
    const registerMs = 300

    it.each([
      ['the first byte', async (hub: RunningHub) => openTcp(hub)],
      [
        'the rest of its first message',
        async (hub: RunningHub) => {
          const socket = await openTcp(hub)
          // The head of a ClientHello of 512 bytes.
          socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]))
          return socket
        },
      ],
      ['the first byte after the handshake', (hub: RunningHub) => openTls(hub)],
      [
        'the rest of its headers',
        async (hub: RunningHub) => {
          const socket = await openTls(hub)
          socket.write('GET / HTTP/1.1\r\nHost: loc')
          return socket
        },
      ],
    ])('%s', async (_what, open) => {
      await install(makeCertificate(folder))
      const hub = await start({ limits: { registerMs } })
      const socket = await open(hub)
      socket.resume()
      // A reset counts as well as an end.
      socket.on('error', () => undefined)
      await once(socket, 'close')
    })
  })

  it('counts the time of a socket from its TCP connection, not from the end of its handshake', async () => {
    const { cert, key } = makeCertificate(folder)
    const app = Fastify({ https: { cert, key } }) as unknown as FastifyInstance
    const acceptedAtMs = rememberAccept(app)
    await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      const { port } = app.server.address() as AddressInfo
      const accepted = once(app.server, 'connection')
      const tcp = connectTcp(port, '127.0.0.1')
      await accepted
      const beforeTlsMs = nowMs()
      const asked = once(app.server, 'upgrade')
      const socket = connectTls({ socket: tcp, ca: cert, servername: 'localhost' })
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
      const [request] = (await asked) as [IncomingMessage]
      expect(acceptedAtMs({ raw: request } as FastifyRequest)).toBeLessThan(beforeTlsMs)
      socket.destroy()
    } finally {
      await app.close()
    }
  })
})

async function openTcp(hub: RunningHub): Promise<Socket> {
  const { port } = hub.app.server.address() as AddressInfo
  const socket = connectTcp(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function openTls(hub: RunningHub, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { port } = hub.app.server.address() as AddressInfo
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}
