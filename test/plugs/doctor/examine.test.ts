import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { examineNetwork, type DoctorOptions, type Finding } from '../../../plugs/doctor/index.ts'
import { startHub, type StartHubOptions } from '../../../signal-server/index.ts'
import { failure } from '../../support/failure.ts'

/** What each NAT is seen as, test/netlab/doctor.test.ts tells: here there is none, and no server beside the hub. */
describe('examineNetwork', () => {
  async function examineAt(
    hubOptions: StartHubOptions,
    options: Partial<DoctorOptions> = {},
  ): Promise<Map<string, Finding>> {
    const hub = await startHub({ ...hubOptions, exemptLoopback: true })
    try {
      return byName(await examineNetwork({ hub: hub.url, ...options }))
    } finally {
      await hub.close()
    }
  }

  it('sees that the hub answers and takes registrations, and that it names no server', async () => {
    const findings = await examineAt({})
    expect(findings.get('hub')).toMatchObject({
      state: 'yes',
      details: { welcomeMs: expect.any(Number) as number },
    })
    expect(findings.get('registration')?.state).toBe('yes')
    expect(findings.get('webrtc')?.state).toBe('yes')
    for (const name of ['udp', 'filtering', 'turn-udp', 'turn-tcp', 'turn-tls', 'direct'] as const) {
      expect([name, findings.get(name)?.state]).toEqual([name, 'unknown'])
    }
  })

  it('sees that the hub has another name', async () => {
    const findings = await examineAt({ hubNames: ['ws://localhost:1'] })
    expect(findings.get('hub')?.state).toBe('yes')
    expect(findings.get('registration')).toMatchObject({ state: 'no', details: { code: 'HUB_REFUSED' } })
    expect(findings.get('registration')?.remedy).toContain('HUB_NAMES')
  })

  it('sees that there is no hub', async () => {
    const findings = byName(await examineNetwork({ hub: `ws://127.0.0.1:${await closedPort()}` }))
    expect(findings.get('hub')).toMatchObject({ state: 'no', details: { code: 'HUB_LOST' } })
    expect(findings.get('registration')?.state).toBe('unknown')
    expect(findings.get('relay')?.state).toBe('unknown')
  })

  it('gives up a silent hub when time is up, or when it is aborted', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const hub = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const aborted = AbortSignal.abort()
    for (const options of [{ timeoutMs: 100 }, { signal: aborted }]) {
      const findings = byName(await examineNetwork({ hub, ...options }))
      expect(findings.get('hub')?.state).toBe('unknown')
    }
    silent.close()
  })

  it('does not say no of what had no time to answer', async () => {
    const silent = createSocket('udp4')
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve))
    const place = `127.0.0.1:${silent.address().port}`
    const iceServers = [{ urls: [`turn:${place}`], username: 'name', credential: 'word' }]
    const findings = await examineAt({}, { iceServers, timeoutMs: 1_000 })
    silent.close()
    expect(findings.get('udp')?.state).toBe('unknown')
    expect(findings.get('turn-udp')?.state).toBe('unknown')
  })

  it('takes a WebRTC that does not work for a finding', async () => {
    const wrtc = {
      RTCPeerConnection: function () {
        throw new Error('no more of these')
      },
    } as unknown as NonNullable<DoctorOptions['wrtc']>
    const findings = await examineAt({ iceServers: [{ urls: ['stun:127.0.0.1:9'] }] }, { wrtc })
    expect(findings.get('webrtc')).toMatchObject({ state: 'no', details: { message: 'no more of these' } })
    expect(findings.get('udp')?.state).toBe('unknown')
  })

  it('says everything in sentences, whatever it found', async () => {
    for (const { words, state, name, remedy } of (await examineAt({})).values()) {
      expect([name, words]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)])
      if (state === 'yes') expect(remedy).toBeUndefined()
    }
  })

  it('refuses what is not the address of a hub', async () => {
    expect(await failure(examineNetwork({ hub: 'http://hub.example.com' }))).toMatchObject({
      code: 'ADDRESS_INVALID',
    })
  })

  it('leaves nothing that would keep the process', async () => {
    const hub = await startHub({ exemptLoopback: true, iceServers: [{ urls: ['stun:127.0.0.1:9'] }] })
    const script = fileURLToPath(new URL('../../support/examine-and-leave.mjs', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [script, hub.url], { timeout: 30_000 })
    expect(stdout).toBe('examined\n')
    await hub.close()
  })
})

function byName(findings: readonly Finding[]): Map<string, Finding> {
  return new Map(findings.map((finding) => [finding.name, finding]))
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
