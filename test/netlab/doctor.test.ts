import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Finding, FindingName } from '../../plugs/doctor/index.ts'
import type { LabHub } from './hub.ts'
import { createLab, type Lab } from './lab.ts'
import { missing } from './namespaces.ts'
import { natKinds, type NatKind } from './nat.ts'
import type { LabPeer } from './peer.ts'

type States = Partial<Record<FindingName, Finding['state']>>

const wherePossible: States = {
  hub: 'yes',
  registration: 'yes',
  webrtc: 'yes',
  'turn-tcp': 'yes',
  'turn-tls': 'unknown',
}
const withUdp: States = { ...wherePossible, udp: 'yes', address: 'yes', 'turn-udp': 'yes' }

describe.skipIf(missing !== '')(`the doctor${missing}`, () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await createLab({ nats: natKinds, seed: 1 })
  })
  afterAll(() => lab.close())

  // They are elsewhere, and mostly wait.
  it.concurrent.each<[NatKind, States, string, string]>([
    [
      'fullcone',
      { ...withUdp, mapping: 'yes', filtering: 'yes', direct: 'yes' },
      'endpoint-independent',
      'endpoint-independent',
    ],
    [
      'addrres',
      { ...withUdp, mapping: 'yes', filtering: 'yes', direct: 'yes' },
      'endpoint-independent',
      'address-dependent',
    ],
    [
      'portres',
      { ...withUdp, mapping: 'yes', filtering: 'no', direct: 'yes' },
      'endpoint-independent',
      'address-and-port-dependent',
    ],
    [
      'sym',
      { ...withUdp, mapping: 'no', filtering: 'no', direct: 'no' },
      'dependent',
      'address-and-port-dependent',
    ],
  ])('sees a NAT that is %s', async (kind, states, mapping, filtering) => {
    const findings = await examine(placeOf(kind))
    expect(statesOf(findings)).toMatchObject(states)
    expect(findings.find(({ name }) => name === 'direct')?.details).toEqual({ mapping, filtering })
    const address = `203.0.113.${100 + natKinds.indexOf(kind)}`
    expect(findings.find(({ name }) => name === 'address')?.words).toContain(address)
  })

  it.concurrent('sees that UDP is blocked, and that TURN over TCP is not', async () => {
    expect(statesOf(await examine(placeOf('udpblock')))).toMatchObject({
      ...wherePossible,
      udp: 'no',
      address: 'unknown',
      mapping: 'unknown',
      filtering: 'unknown',
      'turn-udp': 'no',
      direct: 'no',
    })
  })

  it.concurrent('sees that there is no NAT', async () => {
    const findings = await examine({ start: (options) => lab.startPeer('hub', options) })
    expect(statesOf(findings)).toMatchObject({ ...withUdp, mapping: 'yes', filtering: 'yes', direct: 'yes' })
    expect(findings.find(({ name }) => name === 'mapping')?.details).toMatchObject({ mapping: 'none' })
  })

  it.concurrent('says unknown of what two places would have to be asked for, or TURN', async () => {
    const [server] = lab.turn.stun
    const hub = await lab.startHub({ iceServers: [{ urls: server?.urls.slice(0, 1) ?? [] }] })
    expect(statesOf(await examine(placeOf('sym'), hub))).toMatchObject({
      udp: 'yes',
      address: 'yes',
      mapping: 'unknown',
      filtering: 'unknown',
      'turn-udp': 'unknown',
      'turn-tcp': 'unknown',
      direct: 'unknown',
    })
  })

  it.concurrent('sees TURN credentials that do not hold, and TLS without a certificate', async () => {
    const [turn] = lab.turn.addresses
    const urls = [`turn:${turn}:3478`, `turn:${turn}:3478?transport=tcp`, `turns:${turn}:5349?transport=tcp`]
    const hub = await lab.startHub({ turn: { urls, secret: 'not that of the TURN server' } })
    expect(statesOf(await examine(placeOf('portres'), hub))).toMatchObject({
      udp: 'yes',
      'turn-udp': 'no',
      'turn-tcp': 'no',
      'turn-tls': 'no',
      filtering: 'unknown',
    })
  })

  it('sees through a network that is slow and loses', async () => {
    await lab.set({ delayMs: 100, jitterMs: 20, loss: 0.05 })
    try {
      expect(statesOf(await examine(placeOf('portres')))).toMatchObject({
        ...withUdp,
        mapping: 'yes',
        filtering: 'no',
      })
    } finally {
      await lab.set({})
    }
  })

  it('ends in time where nothing answers', async () => {
    const place = placeOf('portres')
    const peer = place.start()
    try {
      await lab.down(place.link)
      const states = statesOf(await peer.examine({ timeoutMs: 1000 }))
      expect(states).toMatchObject({ hub: 'unknown', webrtc: 'yes', udp: 'unknown', direct: 'unknown' })
    } finally {
      await lab.up(place.link)
      await peer.stop()
    }
  })

  function placeOf(kind: NatKind): Lab['places'][number] {
    const place = lab.places.find(({ nat }) => nat === kind)
    if (place === undefined) throw new Error(`there is no ${kind} here`)
    return place
  }
})

async function examine(
  { start }: { readonly start: (options: { hub?: LabHub }) => LabPeer },
  hub?: LabHub,
): Promise<readonly Finding[]> {
  const peer = start(hub === undefined ? {} : { hub })
  try {
    return await peer.examine()
  } finally {
    await peer.stop()
  }
}

function statesOf(findings: readonly Finding[]): Record<string, Finding['state']> {
  return Object.fromEntries(findings.map(({ name, state }) => [name, state]))
}
