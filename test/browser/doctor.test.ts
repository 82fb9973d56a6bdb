import { describe, expect, inject, it } from 'vitest'
import { examineNetwork } from '../../plugs/doctor/index.ts'

describe('the doctor in a browser', () => {
  it('goes to the hub, tries WebRTC, and says unknown of what no server is there to try with', async () => {
    const findings = await examineNetwork({ hub: inject('hubUrl') })
    expect(findings.map(({ name, state }) => [name, state])).toEqual(
      expect.arrayContaining([
        ['hub', 'yes'],
        ['registration', 'yes'],
        ['webrtc', 'yes'],
        ['udp', 'unknown'],
        ['turn-udp', 'unknown'],
        ['direct', 'unknown'],
      ]),
    )
  })

  it('sees that a STUN server does not answer', async () => {
    const iceServers = [{ urls: ['stun:127.0.0.1:9'] }]
    const findings = await examineNetwork({ hub: inject('hubUrl'), iceServers })
    expect(findings.find(({ name }) => name === 'udp')).toMatchObject({ state: 'no' })
  })
})
