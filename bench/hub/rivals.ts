import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { encodePeerMessage } from '../../core/hub-protocol.ts'
import type { HubAnswer, HubRequest } from './hub.ts'
import { HubClient, newId, testKeys } from './hub-client.ts'
import { sleep } from './workplace.ts'

/** A signaling server under load: how it is started, and how a peer of it speaks. */
interface Rival {
  start(): Promise<{ child: ChildProcess; url: string }>
  /** A peer that is there and does nothing. */
  idle(url: string): Promise<WebSocket>
  /** Two peers, and the text with which the first sends `payload` to the second. */
  pair(url: string, payload: string): Promise<{ from: WebSocket; to: WebSocket; text: string }>
}

const anyRate = {
  registeredPeers: 20_000,
  messagesPerSecond: 1e9,
  messagesBurst: 1e9,
  bytesPerSecond: 1e12,
  bytesBurst: 1e12,
  signalsPerSide: 1e9,
  introductionMs: 1e9,
  registrationsPerSecond: 1e6,
  registrationsBurst: 1e6,
}

/** The hub, without its rates: the others have none. */
const ours: Rival = {
  start: () => startOwn('./hub.js', { start: { exemptLoopback: true, limits: anyRate } }),
  async idle(url) {
    const client = new HubClient(url)
    await client.register(testKeys(), url)
    return bare(client)
  },
  async pair(url, payload) {
    const [server, client, keys, id] = [new HubClient(url), new HubClient(url), testKeys(), newId()]
    await server.register(keys, url)
    await client.next('welcome')
    client.send({ type: 'introduce', id, to: keys.key })
    await client.next('introduced')
    await server.next('incoming')
    const text = encodePeerMessage({ type: 'signal', id, data: payload })
    return { from: bare(client), to: bare(server), text }
  },
}

const peerjs: Rival = {
  start: () =>
    startProgram('peer/dist/bin/peerjs.js', (port) => [
      '--port',
      `${port}`,
      '--host',
      '127.0.0.1',
      '-c',
      '100000',
    ]),
  idle: (url) => openPeerjs(url, newId()),
  async pair(url, payload) {
    const [from, to] = [newId(), newId()]
    const text = JSON.stringify({ type: 'OFFER', dst: to, payload })
    return { from: await openPeerjs(url, from), to: await openPeerjs(url, to), text }
  },
}

const yWebrtc: Rival = {
  start: () => startProgram('y-webrtc/bin/server.js', () => []),
  idle: (url) => subscribe(url, newId()),
  async pair(url, payload) {
    const topic = newId()
    const text = JSON.stringify({ type: 'publish', topic, data: payload })
    return { from: await opened(new WebSocket(url)), to: await subscribe(url, topic), text }
  },
}

const bareWs: Rival = {
  start: () => startOwn('./bare-server.js'),
  idle: (url) => opened(new WebSocket(`${url}/${newId()}`)),
  async pair(url, payload) {
    const path = `${url}/${newId()}`
    const from = await opened(new WebSocket(path))
    return { from, to: await opened(new WebSocket(path)), text: JSON.stringify({ data: payload }) }
  },
}

/** The last is the control. */
export const rivals = { hub: ours, 'peerjs-server': peerjs, 'y-webrtc': yWebrtc, 'bare ws': bareWs }
export type RivalName = keyof typeof rivals

/** Without the decoding of our own client: what it costs is not the hub's. */
function bare({ socket }: HubClient): WebSocket {
  return socket.removeAllListeners('message')
}

async function startOwn(program: string, request?: HubRequest) {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)))
  if (request !== undefined) child.send(request)
  const [answer] = (await once(child, 'message')) as [HubAnswer]
  if (!('listening' in answer)) throw new Error(`${program} does not start`)
  return { child, url: answer.listening.url }
}

async function startProgram(file: string, args: (port: number) => string[]) {
  const port = await freePort()
  const program = fileURLToPath(new URL(`../../../bench/node_modules/${file}`, import.meta.url))
  const child = spawn(process.execPath, [program, ...args(port)], {
    env: { ...process.env, PORT: `${port}` },
    stdio: 'ignore',
  })
  // It does not look whether its parent is still there.
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const url = `ws://127.0.0.1:${port}`
  for (let tries = 0; ; tries += 1) {
    const isUp = await fetch(url.replace('ws', 'http')).then(
      () => true,
      () => false,
    )
    if (isUp) return { child, url }
    if (tries > 100 || child.exitCode !== null) throw new Error(`${file} does not start`)
    await sleep(100)
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function openPeerjs(url: string, id: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url}/peerjs?key=peerjs&id=${id}&token=t`)
  await heard(socket, '"OPEN"')
  return socket
}

async function subscribe(url: string, topic: string): Promise<WebSocket> {
  const socket = await opened(new WebSocket(url))
  socket.send(JSON.stringify({ type: 'subscribe', topics: [topic] }))
  // Answered in order: then the topic is subscribed to.
  socket.send(JSON.stringify({ type: 'ping' }))
  await heard(socket, '"pong"')
  return socket
}

async function opened(socket: WebSocket): Promise<WebSocket> {
  await once(socket, 'open')
  return socket
}

async function heard(socket: WebSocket, text: string): Promise<void> {
  for (;;) {
    const [data] = (await once(socket, 'message')) as [Buffer]
    if (data.includes(text)) return
  }
}
