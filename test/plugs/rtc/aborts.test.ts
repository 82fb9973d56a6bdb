import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toBase64 } from '../../../core/bytes.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { areClosed, countingWebRtc, resources, until, untilOnly } from './leftovers.ts'
import type { Connection } from '../../../core/connection.ts'
import type { DialStage } from '../../../core/types.ts'

const dialAndLeave = fileURLToPath(new URL('../../support/dial-and-leave.mjs', import.meta.url))
/** Where it begins on the relay, and where it does not. */
const stages = {
  first: ['hub', 'introduced', 'answered', 'path', 'transport', 'secured'],
  never: ['hub', 'introduced', 'answered', 'ice', 'dtls', 'path', 'transport', 'secured'],
} as const satisfies Record<string, readonly DialStage[]>
const relays = ['first', 'never'] as const
const keys = { server: await generateKeys(), client: await generateKeys() }

let before: string[] = []
let hub: RunningHub
let accepted: Connection[] = []
let address = ''
let closeServer: () => Promise<void>
let authenticated: Promise<void>[] = []
const serverRtc = countingWebRtc()

beforeEach(async () => {
  before = resources()
  accepted = []
  authenticated = []
  hub = await startHub({ port: 0, exemptLoopback: true })
  const server = MultiServer([
    [
      rtc({ hub: hub.url, wrtc: serverRtc.webRtc }),
      shs({
        keys: keys.server,
        auth: async () => {
          await Promise.all(authenticated)
          return true
        },
      }),
    ],
  ])
  const close = server.server((connection) => accepted.push(connection))
  await close.listening
  closeServer = close
  address = `rtc:${new URL(hub.url).host.replace(':', '!:')}~shs:${toBase64(keys.server.publicKey)}`
})
afterEach(async () => {
  for (const connection of accepted) connection.abort()
  await closeServer()
  await until(() => areClosed(serverRtc.connections), 'every WebRTC connection of the server is closed')
  await hub.close()
  await untilOnly(before)
})

describe('a dial', () => {
  it.each(relays)('reports each of its stages in order (relay: %s)', async (relay) => {
    const reached: DialStage[] = []
    const { ms } = dialer({ relay })
    const connection = await ms.client(address, { onProgress: ({ stage }) => reached.push(stage) })
    expect(reached).toEqual(stages[relay])
    connection.abort()
    await connection.closed
  })

  it.each(relays.flatMap((relay) => stages[relay].slice(0, -1).map((stage) => [stage, relay] as const)))(
    'aborted at the stage "%s" (relay: %s) leaves nothing on either side',
    async (at, relay) => {
      const dialing = dialer({ relay })
      const controller = new AbortController()
      const onProgress = ({ stage }: { stage: DialStage }) => stage === at && controller.abort()
      const { signal } = controller
      await expect(dialing.ms.client(address, { signal, onProgress })).rejects.toMatchObject({
        code: 'ABORTED',
      })
      await until(() => areClosed(dialing.connections), 'every WebRTC connection of the client is closed')
      await until(() => areClosed(serverRtc.connections), 'every WebRTC connection of the server is closed')
      expect(accepted).toEqual([])
    },
  )

  it.each([0, 1, 2, 3, 5, 8, 13, 21, 34, 55])(
    'aborted after %i turns of the event loop leaves nothing on either side',
    async (turns) => {
      const dialing = dialer()
      const controller = new AbortController()
      const dial = dialing.ms.client(address, { signal: controller.signal })
      const settled = dial.then(
        (connection) => connection.abort(),
        (error: unknown) => expect(error).toMatchObject({ code: 'ABORTED' }),
      )
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      controller.abort()
      await settled
      await until(() => areClosed(dialing.connections), 'every WebRTC connection of the client is closed')
      await until(() => areClosed(serverRtc.connections), 'every WebRTC connection of the server is closed')
    },
  )

  it('aborted during shs leaves nothing on either side', async () => {
    let letIn = () => {}
    authenticated = [new Promise((resolve) => (letIn = resolve))]
    const dialing = dialer()
    const controller = new AbortController()
    let isConnected = false
    const dial = dialing.ms.client(address, {
      signal: controller.signal,
      onProgress: ({ stage }) => (isConnected ||= stage === 'transport'),
    })
    dial.catch(() => undefined)
    await until(() => isConnected, 'the handshake has begun')
    controller.abort()
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    await until(() => areClosed(dialing.connections), 'every WebRTC connection of the client is closed')
    letIn()
    await until(() => areClosed(serverRtc.connections), 'every WebRTC connection of the server is closed')
    expect(accepted).toEqual([])
  })

  it('aborted before it began makes no WebRTC connection', async () => {
    const dialing = dialer()
    const signal = AbortSignal.abort()
    await expect(dialing.ms.client(address, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(dialing.connections).toEqual([])
  })

  it('to a key that is not registered fails at once', async () => {
    const { publicKey } = await generateKeys()
    const started = performance.now()
    const dial = dialer().ms.client(address.replace(/shs:.*/, `shs:${toBase64(publicKey)}`))
    await expect(dial).rejects.toMatchObject({ code: 'DIAL_FAILED', attempts: [{ code: 'PEER_NOT_FOUND' }] })
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('of transforms that the server does not have is refused', async () => {
    const twice = MultiServer([
      [rtc({ wrtc: countingWebRtc().webRtc }), shs({ keys: keys.client }), shs({ keys: keys.client })],
    ])
    const dial = twice.client(`${address}~shs:${toBase64(keys.server.publicKey)}`)
    await expect(dial).rejects.toMatchObject({ code: 'DIAL_FAILED', attempts: [{ code: 'CONNECT_FAILED' }] })
    expect(accepted).toEqual([])
  })

  it('made many times at once through one hub connects each time, over one socket', async () => {
    const { ms } = dialer()
    const dialed = await Promise.all(Array.from({ length: 8 }, () => ms.client(address)))
    await until(() => accepted.length === 8, 'all are accepted')
    for (const connection of dialed) connection.abort()
    await Promise.all(dialed.map(({ closed }) => closed))
  })
})

describe('a server that closes', () => {
  it.each([
    ['never', 'CONNECT_FAILED'],
    // The stream has begun ahead of its circuit.
    ['first', 'HANDSHAKE_FAILED'],
  ] as const)('while it is introduced (relay: %s) leaves nothing', async (relay, code) => {
    const dialing = dialer({ relay })
    const dial = dialing.ms.client(address, {
      timeoutMs: 2000,
      onProgress: ({ stage }) => stage === 'answered' && void closeServer(),
    })
    // At once, not at the deadline.
    await expect(dial).rejects.toMatchObject({ code: 'DIAL_FAILED', attempts: [{ code }] })
    await closeServer()
    expect(areClosed(serverRtc.connections)).toBe(true)
    await until(() => areClosed(dialing.connections), 'every WebRTC connection of the client is closed')
  })
})

describe('a process', () => {
  it.each(['close', 'abort'])(
    'that dials, does %s and calls nothing else ends by itself',
    async (how) => {
      const child = fork(dialAndLeave, [address, how], {
        execArgv: [],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      const exited = once(child, 'exit')
      try {
        await until(() => accepted.length > 0, 'it has dialed', 20_000)
        const [connection] = accepted
        expect(await connection?.read()).toEqual(new TextEncoder().encode('hello'))
        await connection?.write(new TextEncoder().encode('welcome'))
        const told = once(child, 'message').then(() => once(child, 'message'))
        if (how === 'close') await connection?.close()
        await told
        const closedAt = performance.now()
        const [code] = await exited
        expect(code).toBe(0)
        expect(performance.now() - closedAt).toBeLessThan(3000)
      } finally {
        child.kill('SIGKILL')
      }
    },
    30_000,
  )
})

function dialer(options: RtcOptions = {}): {
  ms: ReturnType<typeof MultiServer>
  connections: RTCPeerConnection[]
} {
  const { webRtc, connections } = countingWebRtc()
  return { ms: MultiServer([[rtc({ ...options, wrtc: webRtc }), shs({ keys: keys.client })]]), connections }
}
