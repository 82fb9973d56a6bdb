import { beforeEach, describe, expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import type { ClusterRequest } from '../../signal-server/cluster/cluster-protocol.ts'
import type { ClusterEvent } from '../../signal-server/cluster/crossings.ts'
import { IceServers } from '../../signal-server/turn.ts'
import type { ClusterEffect } from '../../signal-server/hub-effects.ts'
import { HubBench, idOf, keyOf } from './hub-bench.ts'

const here = toBase64Url(new Uint8Array(16).fill(1))
const there = toBase64Url(new Uint8Array(16).fill(2))
const key = toBase64Url(keyOf(7))

let bench: HubBench
let effects: ClusterEffect[]

beforeEach(() => {
  effects = []
  bench = new HubBench({}, false, new IceServers(), here)
  bench.onClusterEffect = (effect) => effects.push(effect)
  hear({ kind: 'joined' })
})

function hear(event: ClusterEvent): void {
  bench.handle({ kind: 'cluster', event })
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
  const client = bench.connect()
  bench.send(client, { type: 'introduce', id, to: keyOf(7) })
  return client
}

/** One that has been introduced to it. */
function introduced(): number {
  const client = asking()
  hear({ kind: 'located', key, node: there })
  told({ type: 'accepted', call: 1 })
  bench.take(client)
  said()
  return client
}

describe('a client whose peer is on another node', () => {
  const grant = { url: 'ws://there.test/relay', token: new Uint8Array(32).fill(5), limits: { bytes: 9 } }

  it('is told where its end of a circuit is, once', () => {
    const client = introduced()
    told({ type: 'relay', call: 1, ...grant })
    told({ type: 'relay', call: 1, ...grant })
    expect(bench.take(client)).toEqual([{ type: 'relay', id: idOf(1), ...grant }])
  })

  it('is told of no circuit before it is introduced, and none of another introduction', () => {
    const client = asking()
    hear({ kind: 'located', key, node: there })
    told({ type: 'relay', call: 1, ...grant })
    told({ type: 'relay', call: 2, ...grant })
    expect(bench.take(client)).toEqual([])
  })

  it('is introduced when that node accepts, with what it sent meanwhile', () => {
    const client = asking()
    bench.send(client, { type: 'signal', id: idOf(1), data: 'a' })
    expect(effects).toEqual([{ kind: 'locate', key }])
    hear({ kind: 'located', key, node: there })
    const call = { call: 1, ofClient: true }
    expect(said()).toEqual([
      { type: 'introduce', call: 1, id: idOf(1), key, source: '192.0.2.1' },
      { type: 'signal', ...call, n: 0, data: 'a' },
    ])
    bench.send(client, { type: 'signal', id: idOf(1), data: 'b' })
    expect(said()).toEqual([{ type: 'signal', ...call, n: 1, data: 'b' }])
    expect(bench.take(client)).toEqual([])
    told({ type: 'accepted', call: 1 })
    told({ type: 'accepted', call: 1 })
    expect(bench.take(client)).toEqual([{ type: 'introduced', id: idOf(1), iceServers: [] }])
  })

  it('is looked for once, however many ask', () => {
    const clients = [asking(idOf(1)), asking(idOf(2)), asking(idOf(3))]
    expect(effects).toEqual([{ kind: 'locate', key }])
    hear({ kind: 'located', key, node: undefined })
    for (const client of clients) expect(bench.take(client)).toMatchObject([{ code: 'PEER_NOT_FOUND' }])
  })

  it('is asked for in the order in which peers are found, not that of asking: numbers only rise', () => {
    asking(idOf(1))
    const other = bench.connect()
    bench.send(other, { type: 'introduce', id: idOf(2), to: keyOf(8) })
    asking(idOf(3))
    hear({ kind: 'located', key, node: there })
    hear({ kind: 'located', key: toBase64Url(keyOf(8)), node: there })
    expect(said()).toMatchObject([1, 3, 2].map((id, index) => ({ call: index + 1, id: idOf(id) })))
  })

  it.each<[string, string, () => void]>([
    ['nobody knows', 'BUSY', () => hear({ kind: 'unlocated', key })],
    ['nothing is answered in two seconds', 'BUSY', () => bench.advance(2_000)],
    ['the cluster is lost', 'BUSY', () => hear({ kind: 'lost' })],
    [
      'it is on this node, which is an error',
      'PEER_NOT_FOUND',
      () => hear({ kind: 'located', key, node: here }),
    ],
  ])('is refused when %s', (_what, code, happen) => {
    const client = asking()
    happen()
    expect(bench.take(client)).toMatchObject([{ type: 'error', code, id: idOf(1) }])
    expect(bench.hub.counts().introductions).toBe(0)
    expect(bench.hub.cluster().sought).toBe(0)
  })

  it.each<[string, string, () => void]>([
    ['refuses', 'ID_IN_USE', () => told({ type: 'refused', call: 1, code: 'ID_IN_USE', reason: 'x' })],
    ['is deaf', 'PEER_NOT_FOUND', () => hear({ kind: 'deaf', node: there })],
    ['says nothing for two seconds', 'BUSY', () => bench.advance(2_000)],
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
    expect(bench.take(client)).toMatchObject([{ type: 'error', code, id: idOf(1) }])
    expect(bench.hub.counts().introductions).toBe(0)
  })

  it('is introduced here when the peer has come here meanwhile', () => {
    const client = asking()
    bench.send(client, { type: 'signal', id: idOf(1), data: 'a' })
    const server = bench.registered(keyOf(7))
    hear({ kind: 'located', key, node: there })
    expect(bench.take(client)).toMatchObject([{ type: 'introduced' }])
    expect(bench.take(server)).toEqual([
      { type: 'incoming', id: idOf(1) },
      { type: 'signal', id: idOf(1), data: 'a' },
    ])
    expect(said()).toEqual([])
  })

  it('may send a message full before it is known where to', () => {
    const client = asking()
    for (let count = 0; count < 5; count += 1) {
      bench.send(client, { type: 'signal', id: idOf(1), data: 'a'.repeat(16_384) })
      bench.advance(1)
    }
    expect(bench.take(client)).toMatchObject([{ type: 'error', code: 'QUOTA' }])
  })

  it('counts in what its address may have', () => {
    const source = '192.0.2.9'
    for (let id = 0; id < 17; id += 1) {
      const client = bench.connect(source)
      bench.send(client, { type: 'introduce', id: idOf(id), to: keyOf(7) })
      const answers = bench.take(client)
      if (id < 16) expect(answers).toEqual([])
      else expect(answers).toMatchObject([{ code: 'BUSY' }])
      if (id % 4 === 3) bench.advance(400)
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
    expect(bench.take(client).map((message) => message.type === 'signal' && message.data)).toEqual([
      '0',
      '1',
      '2',
    ])
  })

  it('with one missing end the introduction at both ends', () => {
    const client = introduced()
    told(signal(0))
    told(signal(2))
    expect(bench.take(client).at(-1)).toEqual({ type: 'closed', id: idOf(1), reason: 'lost' })
    expect(said()).toEqual([{ type: 'end', call: 1, ofClient: true, reason: 'lost' }])
  })

  it.each<[string, ClusterRequest]>([
    ['of an introduction that is over', { type: 'signal', call: 9, ofClient: false, n: 0, data: 'a' }],
    ['of the wrong side', { type: 'signal', call: 1, ofClient: true, n: 0, data: 'a' }],
  ])('%s are answered with its end', (_what, message) => {
    const client = introduced()
    told(message)
    expect(said()).toMatchObject([{ type: 'end', reason: 'gone' }])
    expect(bench.take(client)).toEqual([])
  })

  it('of a node that has no part in it are not obeyed', () => {
    const client = introduced()
    const from = toBase64Url(new Uint8Array(16).fill(3))
    hear({ kind: 'told', message: { type: 'signal', call: 1, ofClient: false, n: 0, data: 'a', from } })
    hear({ kind: 'told', message: { type: 'end', call: 1, ofClient: false, reason: 'x', from } })
    expect(bench.take(client)).toEqual([])
    expect(bench.hub.counts().introductions).toBe(1)
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
    const server = bench.registered(keyOf(7))
    for (const call of [1, 1, 3, 2]) told(introduce(call))
    expect(bench.take(server)).toEqual([1, 3].map((call) => ({ type: 'incoming', id: idOf(call) })))
    expect(said().map(({ type }) => type)).toEqual(['accepted', 'accepted'])
  })

  it('that is silent while there are introductions with it is taken for dead', () => {
    const client = introduced()
    bench.advance(5_000)
    expect(said()).toEqual([{ type: 'here' }])
    told({ type: 'here' })
    bench.advance(14_999)
    expect(bench.take(client)).toEqual([])
    bench.advance(5_001)
    expect(bench.take(client)).toEqual([{ type: 'closed', id: idOf(1), reason: 'gone' }])
    expect(bench.hub.cluster().neighbours).toBe(0)
  })

  it('that goes on being silent is forgotten', () => {
    const client = introduced()
    bench.leave(client)
    bench.advance(200_000)
    expect(bench.hub.nextAtMs).toBeUndefined()
  })

  it('with a newer proof of a key replaces the peer here', () => {
    const server = bench.registered(keyOf(7))
    effects.length = 0
    hear({ kind: 'superseded', key })
    expect(bench.take(server)).toEqual([{ type: 'replaced' }])
    expect(bench.closed.get(server)).toBe(4001)
    expect(effects).toEqual([{ kind: 'withdraw', key }])
  })
})
