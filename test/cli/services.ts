import { spawn } from 'node:child_process'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { onTestFinished, vi } from 'vitest'
import { keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { freePort } from '../support/fixed-port.ts'
import { addressIn, start, temporaryFolder, type Running } from './command.ts'

/** A service of this machine, exposed and forwarded by two processes. */
export interface ForwardedService {
  /** Where it is forwarded to. */
  readonly port: number
  readonly address: string
  readonly exposing: Running
  readonly forwarding: Running
  /** The file of the only key that is let in. */
  readonly key: string
  /** Starts the exposing process once more, at the same address. */
  readonly expose: () => Promise<Running>
  /** Starts the forwarding process once more, at the same port. */
  readonly forward: () => Promise<Running>
}

/** Over TCP, or over WebRTC through `hubUrl`. */
export async function forwardService(servicePort: number, hubUrl?: string): Promise<ForwardedService> {
  const folder = temporaryFolder()
  const files = { own: join(folder, 'own'), key: join(folder, 'key'), address: join(folder, 'address') }
  const allowed = keyToString((await loadOrCreateKeys(files.key)).publicKey)
  // The same after it has been started again.
  const place = hubUrl === undefined ? ['--net', String(await freePort())] : ['--hub', hubUrl]
  let address = ''
  const expose = async () => {
    const flags = [...place, '--key', files.own, '--allow', allowed, '--address-file', files.address]
    const running = start(['expose', String(servicePort), ...flags])
    address = await addressIn(files.address, running)
    return running
  }
  const exposing = await expose()
  const forward = async (at: number) => {
    // Longer than any test: what waits in vain is another test's affair.
    const running = start(['forward', String(at), address, '--key', files.key, '--wait', '300'])
    await running.said(/Connected to/)
    return running
  }
  const forwarding = await forward(0)
  const port = await portOf(forwarding)
  return { port, address, exposing, forwarding, key: files.key, expose, forward: () => forward(port) }
}

/** Where `forward 0` listens, which it prints. */
export async function portOf(forwarding: Running): Promise<number> {
  // What it says on stderr later may be here before.
  await vi.waitUntil(() => forwarding.stdout().includes('\n'), { timeout: 30_000 })
  return Number(forwarding.stdout().trim())
}

/** Listens on any free port of this machine until the test is over. */
export async function serveTcp(onSocket: (socket: Socket) => void): Promise<number> {
  return listenUntilEnd(createServer({ allowHalfOpen: true }, onSocket))
}

export interface HttpService {
  readonly port: number
  /** The checksum of what went out or came in last. */
  checksum(): string
}

/** Answers with the path; `/random/N` with so many bytes; takes what is put. */
export async function serveHttp(): Promise<HttpService> {
  let checksum = ''
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const [, bytes] = /^\/random\/(\d+)$/.exec(request.url ?? '') ?? []
    const hash = createHash('sha256')
    const source = bytes === undefined ? request : randomStream(Number(bytes))
    source.on('data', (chunk: Buffer) => hash.update(chunk))
    source.once('end', () => (checksum = hash.digest('hex')))
    if (bytes === undefined) {
      await once(source, 'end')
      response.end(`you asked for ${request.url}\n`)
    } else await pipeline(source, response)
  }
  const server = createHttpServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  return { port: await listenUntilEnd(server), checksum: () => checksum }
}

/** So many bytes that nothing can compress. */
export function randomStream(bytes: number): Readable {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16))
  const zeros = Buffer.alloc(64 * 1024)
  let left = bytes
  return new Readable({
    read() {
      const chunk = zeros.subarray(0, Math.min(left, zeros.length))
      left -= chunk.length
      this.push(chunk.length === 0 ? null : cipher.update(chunk))
    },
  })
}

/** What curl prints, hashed and as text where it is short. Rejects when it fails. */
export async function curl(
  args: readonly string[],
  input?: Readable,
): Promise<{ text: string; checksum: string }> {
  const child = spawn('curl', ['--silent', '--show-error', '--fail', ...args])
  const hash = createHash('sha256')
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    if (text.length < 100_000) text += chunk.toString()
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  if (input === undefined) child.stdin.end()
  else await pipeline(input, child.stdin)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`curl ended with ${code}: ${complaint}`)
  return { text, checksum: hash.digest('hex') }
}

/** A TCP connection whose own end is left to the test. */
export async function connectTcp(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** How it is over: by an end of the far side, which nothing is sent to any more, or by a reset. */
export function fateOf(socket: Socket): Promise<'ended' | 'reset'> {
  return new Promise((resolve) => {
    socket.once('end', () => socket.end())
    socket.once('close', (hadError: boolean) => resolve(hadError ? 'reset' : 'ended'))
    socket.resume()
  })
}

async function listenUntilEnd(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}
