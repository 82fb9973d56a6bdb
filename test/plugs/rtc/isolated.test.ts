import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { toBase64 } from '../../../core/bytes.ts'
import { createIdentity, ready } from '../../../core/ed25519.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import { rtc, type RtcOptions } from '../../../plugs/rtc/index.ts'
import { isolateWebRtc, type IsolatedWebRtc } from '../../../plugs/rtc/isolated/index.ts'
import { shs2 } from '../../../plugs/shs2/index.ts'
import { startHub } from '../../../signal-server/index.ts'
import { streamCases } from '../../conformance/stream-cases.ts'
import { connectOver } from '../../conformance/transport-cases.ts'
import { runCases } from '../../support/run-cases.ts'
import { expectNoLeftovers, until } from './leftovers.ts'
import { transfer } from './rtc-pair.ts'
import type { Connection } from '../../../core/connection.ts'

const mebibyte = 1024 * 1024

describe('WebRTC in a process of its own', () => {
  expectNoLeftovers()
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanups.splice(0).toReversed()) await cleanUp()
  })

  /** A client and a server of this process, each with a process for WebRTC. */
  async function connect(options: RtcOptions = {}) {
    const hub = await startHub({ port: 0, exemptLoopback: true })
    const [clientRtc, serverRtc] = [isolateWebRtc(), isolateWebRtc()]
    const keys = await generateKeys()
    const server = MultiServer([[rtc({ ...options, hub: hub.url, wrtc: serverRtc }), shs2({ keys })]])
    const accepted: Connection[] = []
    const close = server.server((connection) => accepted.push(connection))
    await close.listening
    cleanups.push(() => hub.close(), close, clientRtc.close, serverRtc.close)
    const client = MultiServer([[rtc({ ...options, wrtc: clientRtc }), shs2({ keys: await generateKeys() })]])
    const address = `rtc:${new URL(hub.url).host.replace(':', '!:')}~shs2:${toBase64(keys.publicKey)}`
    const near = await client.client(address)
    cleanups.push(() => near.abort())
    await until(() => accepted.length === 1, 'it is accepted')
    const [far] = accepted
    if (far === undefined) throw new Error('nobody was accepted')
    return { near, far, clientRtc, serverRtc }
  }

  it.each(['client', 'server'] as const)(
    'costs its connections a path and no more when that of the %s ends',
    async (whose) => {
      const { near, far, clientRtc, serverRtc } = await connect()
      await until(() => near.path === 'direct', 'it is direct')
      const isolated = whose === 'client' ? clientRtc : serverRtc
      let read = 0
      const killing = until(() => read > 4 * mebibyte, 'something has come').then(() => kill(isolated))
      const [one, other] = await Promise.all([
        transfer(near, 16 * mebibyte, () => undefined),
        transfer(far, 16 * mebibyte, (count) => (read = count)),
      ])
      const killed = await killing
      expect([one.receivedSha256, other.receivedSha256]).toEqual([other.sentSha256, one.sentSha256])
      expect(isolated.pid).not.toBe(killed)
    },
  )

  it('opens nothing where its program can not run', async () => {
    const hub = await startHub({ port: 0, exemptLoopback: true })
    cleanups.push(() => hub.close())
    const nowhere = isolateWebRtc({ program: new URL('nowhere.js', import.meta.url) })
    cleanups.push(nowhere.close)
    const connection = new nowhere.RTCPeerConnection()
    await expect(connection.createOffer()).rejects.toThrow('has ended')
    expect(connection.iceConnectionState).toBe('failed')
  })

  it('keeps nobody alive without a connection, and is gone once closed', async () => {
    const isolated = isolateWebRtc()
    const connection = new isolated.RTCPeerConnection()
    await connection.createOffer()
    const { pid } = isolated
    expect(isAlive(pid)).toBe(true)
    connection.close()
    await until(() => !process.getActiveResourcesInfo().includes('ProcessWrap'), 'it is let go')
    expect(isAlive(pid)).toBe(true)
    await isolated.close()
    expect([isAlive(pid), isolated.pid]).toEqual([false, undefined])
  })
})

await ready()
const isolated = isolateWebRtc()
const hub = await startHub({ port: 0, exemptLoopback: true })
afterAll(async () => {
  await isolated.close()
  await hub.close()
})
const keys = await generateKeys()

runCases('rtc, isolated, as a stream', streamCases, {
  halfClose: true,
  backpressure: true,
  async connect() {
    const [client, server] = await connectOver({
      create: () => rtc({ hub: hub.url, wrtc: isolated }),
      deadSection: '',
      identity: createIdentity(keys),
      remoteKey: keys.publicKey,
    })
    return { client, server }
  },
})

function kill({ pid }: IsolatedWebRtc): number {
  if (pid === undefined) throw new Error('it has no process')
  process.kill(pid, 'SIGKILL')
  return pid
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}
