import { beforeEach, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import type { ClusterRequest } from '../../signal-server/cluster/cluster-protocol.ts'
import type { ClusterEvent } from '../../signal-server/cluster/crossings.ts'
import { IceServers } from '../../signal-server/turn.ts'
import type { ClusterEffect } from '../../signal-server/hub-effects.ts'
import { HubRig, idOf, keyOf } from './hub-rig.ts'

const here = toBase64Url(new Uint8Array(16).fill(1))
const there = toBase64Url(new Uint8Array(16).fill(2))
const key = toBase64Url(keyOf(7))

let rig: HubRig
let effects: ClusterEffect[]

beforeEach(() => {
  effects = []
  rig = new HubRig({}, false, new IceServers(), here)
  rig.onClusterEffect = (effect) => effects.push(effect)
  hear({ kind: 'joined' })
})

function hear(event: ClusterEvent): void {
  rig.handle({ kind: 'cluster', event })
}

/** `there` says something. */
function told(message: ClusterRequest): void {
  hear({ kind: 'told', message: { ...message, from: there } })
}

/** What was said to `there` since it was asked last. */
function said(): ClusterRequest[] {
  return effects
    .splice(0)
    .flatMap((effect) => (effect.kind === 'tell' && effect.node === there ? [effect.message] : []))
}

/** A client that asks for a peer of `there`. */
function asking(id = idOf(1)): number {
  const client = rig.connect()
  rig.send(client, { type: 'introduce', id, to: keyOf(7) })
  return client
}

/** One that has been introduced to it. */
function introduced(): number {
  const client = asking()
  hear({ kind: 'located', key, node: there })
  told({ type: 'accepted', call: 1 })
  rig.take(client)
  said()
  return client
}

describe('a client whose peer is on another node', () => {
  const grant = { url: 'ws://there.test/relay', token: new Uint8Array(32).fill(5), limits: { bytes: 9 } }

  it('is told where its end of a circuit is, once', () => {
    const client = introduced()
    told({ type: 'relay', call: 1, ...grant })
    told({ type: 'relay', call: 1, ...grant })
    expect(rig.take(client)).toEqual([{ type: 'relay', id: idOf(1), ...grant }])
  })

  it('is told of no circuit before it is introduced, and none of another introduction', () => {
    const client = asking()
    hear({ kind: 'located', key, node: there })
    told({ type: 'relay', call: 1, ...grant })
    told({ type: 'relay', call: 2, ...grant })
    expect(rig.take(client)).toEqual([])
  })

  it('is introduced when that node accepts, with what it sent meanwhile', () => {
    const client = asking()
    rig.send(client, { type: 'signal', id: idOf(1), data: 'a' })
    expect(effects).toEqual([{ kind: 'locate', key }])
    hear({ kind: 'located', key, node: there })
    const call = { call: 1, ofClient: true }
    expect(said()).toEqual([
      { type: 'introduce', call: 1, id: idOf(1), key, source: '192.0.2.1' },
      { type: 'signal', ...call, n: 0, data: 'a' },
    ])
    rig.send(client, { type: 'signal', id: idOf(1), data: 'b' })
    expect(said()).toEqual([{ type: 'signal', ...call, n: 1, data: 'b' }])
    expect(rig.take(client)).toEqual([])
    told({ type: 'accepted', call: 1 })
    told({ type: 'accepted', call: 1 })
    expect(rig.take(client)).toEqual([{ type: 'introduced', id: idOf(1), iceServers: [] }])
  })

  it('is looked for once, however many ask', () => {
    const clients = [asking(idOf(1)), asking(idOf(2)), asking(idOf(3))]
    expect(effects).toEqual([{ kind: 'locate', key }])
    hear({ kind: 'located', key, node: undefined })
    for (const client of clients) expect(rig.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND' }])
  })

  it('is asked for in the order in which peers are found, not that of asking: numbers only rise', () => {
    asking(idOf(1))
    const other = rig.connect()
    rig.send(other, { type: 'introduce', id: idOf(2), to: keyOf(8) })
    asking(idOf(3))
    hear({ kind: 'located', key, node: there })
    hear({ kind: 'located', key: toBase64Url(keyOf(8)), node: there })
    expect(said()).toMatchObject([1, 3, 2].map((id, index) => ({ call: index + 1, id: idOf(id) })))
  })

  it.each<[string, string, () => void]>([
    ['nobody knows', 'BUSY', () => hear({ kind: 'unlocated', key })],
    ['nothing is answered in two seconds', 'BUSY', () => rig.advance(2_000)],
    ['the cluster is lost', 'BUSY', () => hear({ kind: 'lost' })],
    [
      'it is on this node, which is an error',
      'PEER_NOT_FOUND',
      () => hear({ kind: 'located', key, node: here }),
    ],
  ])('is refused when %s', (_what, code, happen) => {
    const client = asking()
    happen()
    expect(rig.take(client)).toMatchObject([{ type: 'error', code, id: idOf(1) }])
    expect(rig.hub.counts().introductions).toBe(0)
    expect(rig.hub.cluster().sought).toBe(0)
  })

  it.each<[string, string, () => void]>([
    ['refuses', 'ID_IN_USE', () => told({ type: 'refused', call: 1, code: 'ID_IN_USE', reason: 'x' })],
    ['is deaf', 'PEER_NOT_FOUND', () => hear({ kind: 'deaf', node: there })],
    ['says nothing for two seconds', 'BUSY', () => rig.advance(2_000)],
    [
      'could not be asked',
      'BUSY',
      () =>
        hear({
          kind: 'untold',
          node: there,
          message: { type: 'introduce', call: 1, id: idOf(1), key },
        }),
    ],
  ])('is refused when that node %s', (_what, code, happen) => {
    const client = asking()
    hear({ kind: 'located', key, node: there })
    happen()
    expect(rig.take(client)).toMatchObject([{ type: 'error', code, id: idOf(1) }])
    expect(rig.hub.counts().introductions).toBe(0)
  })

  it('is introduced here when the peer has come here meanwhile', () => {
    const client = asking()
    rig.send(client, { type: 'signal', id: idOf(1), data: 'a' })
    const server = rig.registered(keyOf(7))
    hear({ kind: 'located', key, node: there })
    expect(rig.take(client)).toMatchObject([{ type: 'introduced' }])
    expect(rig.take(server)).toEqual([
      { type: 'incoming', id: idOf(1) },
      { type: 'signal', id: idOf(1), data: 'a' },
    ])
    expect(said()).toEqual([])
  })

  it('may send a message full before it is known where to', () => {
    const client = asking()
    for (let count = 0; count < 5; count += 1) {
      rig.send(client, { type: 'signal', id: idOf(1), data: 'a'.repeat(16_384) })
      rig.advance(1)
    }
    expect(rig.take(client)).toMatchObject([{ type: 'error', code: 'QUOTA' }])
  })

  it('counts in what its address may have', () => {
    const source = '192.0.2.9'
    for (let id = 0; id < 17; id += 1) {
      const client = rig.connect(source)
      rig.send(client, { type: 'introduce', id: idOf(id), to: keyOf(7) })
      const answers = rig.take(client)
      if (id < 16) expect(answers).toEqual([])
      else expect(answers).toMatchObject([{ code: 'BUSY' }])
      if (id % 4 === 3) rig.advance(400)
    }
  })
})

describe('signals between nodes', () => {
  const signal = (n: number): ClusterRequest => ({
    type: 'signal',
    call: 1,
    ofClient: false,
    n,
    data: `${n}`,
  })

  it('that come twice are given once', () => {
    const client = introduced()
    for (const n of [0, 0, 1, 0, 1, 2]) told(signal(n))
    expect(rig.take(client).map((message) => message.type === 'signal' && message.data)).toEqual([
      '0',
      '1',
      '2',
    ])
  })

  it('with one missing end the introduction at both ends', () => {
    const client = introduced()
    told(signal(0))
    told(signal(2))
    expect(rig.take(client).at(-1)).toEqual({ type: 'closed', id: idOf(1), reason: 'lost' })
    expect(said()).toEqual([{ type: 'end', call: 1, ofClient: true, reason: 'lost' }])
  })

  it('that could not be sent to the peer here end the introduction at both ends', () => {
    const client = introduced()
    told(signal(0))
    rig.take(client)
    rig.handle({ kind: 'undelivered', socket: client, id: idOf(1), what: 'signal' })
    expect(rig.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'lost' }])
    expect(said()).toEqual([{ type: 'end', call: 1, ofClient: true, reason: 'lost' }])
  })

  it.each<[string, ClusterRequest]>([
    ['of an introduction that is over', { type: 'signal', call: 9, ofClient: false, n: 0, data: 'a' }],
    ['of the wrong side', { type: 'signal', call: 1, ofClient: true, n: 0, data: 'a' }],
  ])('%s are answered with its end', (_what, message) => {
    const client = introduced()
    told(message)
    expect(said()).toMatchObject([{ type: 'end', reason: 'gone' }])
    expect(rig.take(client)).toEqual([])
  })

  it('of a node that has no part in it are not obeyed', () => {
    const client = introduced()
    const from = toBase64Url(new Uint8Array(16).fill(3))
    hear({ kind: 'told', message: { type: 'signal', call: 1, ofClient: false, n: 0, data: 'a', from } })
    hear({ kind: 'told', message: { type: 'end', call: 1, ofClient: false, reason: 'x', from } })
    expect(rig.take(client)).toEqual([])
    expect(rig.hub.counts().introductions).toBe(1)
  })
})

describe('a node', () => {
  const introduce = (call: number): ClusterRequest => ({
    type: 'introduce',
    call,
    id: idOf(call),
    key,
  })

  it('asks for each introduction once', () => {
    const server = rig.registered(keyOf(7))
    for (const call of [1, 1, 3, 2]) told(introduce(call))
    expect(rig.take(server)).toEqual([1, 3].map((call) => ({ type: 'incoming', id: idOf(call) })))
    expect(said().map(({ type }) => type)).toEqual(['accepted', 'accepted'])
  })

  it('that is silent while there are introductions with it is taken for dead', () => {
    const client = introduced()
    rig.advance(5_000)
    expect(said()).toEqual([{ type: 'here' }])
    told({ type: 'here' })
    rig.advance(14_999)
    expect(rig.take(client)).toEqual([])
    rig.advance(5_001)
    expect(rig.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    expect(rig.hub.cluster().neighbours).toBe(0)
  })

  it('that goes on being silent is forgotten', () => {
    const client = introduced()
    rig.leave(client)
    rig.advance(200_000)
    expect(rig.hub.nextAtMs).toBeUndefined()
  })

  it('with a newer proof of a key replaces the peer here', () => {
    const server = rig.registered(keyOf(7))
    effects.length = 0
    hear({ kind: 'superseded', key })
    expect(rig.take(server)).toEqual([{ type: 'replaced' }])
    expect(rig.closed.get(server)).toBe(4001)
    expect(effects).toEqual([{ kind: 'withdraw', key }])
  })
})
