import fc from 'fast-check'
import { expect, it } from 'vitest'
import { toBase64Url } from '../../core/bytes.ts'
import type { SocketEffect } from '../../signal-server/hub-effects.ts'
import { ClusterRig, type RigNode, claimMs, type Fate, nodes } from './cluster-rig.ts'
import { type HubRig, idOf, keyOf } from './hub-rig.ts'

type Step =
  | { do: 'register'; node: number; key: number }
  | { do: 'leave'; socket: number }
  | { do: 'introduce'; node: number; id: number; key: number }
  | { do: 'signal'; socket: number; count: number }
  | { do: 'close' | 'undelivered'; socket: number }
  | { do: 'wait'; ms: number }
  | { do: 'lose' | 'find'; node: number }
  | { do: 'flush' }
  | { do: 'kill' }

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>({ delayMs: 1, copies: 1 }) },
  {
    weight: 2,
    arbitrary: fc.record({ delayMs: fc.nat(400), copies: fc.constantFrom<Fate['copies']>(0, 1, 2) }),
  },
)
const anyNode = fc.nat(nodes - 1)
const anyKey = fc.integer({ min: 1, max: 2 })
const anySocket = fc.nat(4)
const of = <T extends object>(weight: number, shape: { [N in keyof T]: fc.Arbitrary<T[N]> }) => ({
  weight,
  arbitrary: fc.record(shape) as fc.Arbitrary<unknown> as fc.Arbitrary<Step>,
})

const step: fc.Arbitrary<Step> = fc.oneof(
  of(4, { do: fc.constant('register'), node: anyNode, key: anyKey }),
  of(1, { do: fc.constantFrom('leave', 'close', 'undelivered'), socket: anySocket }),
  of(8, { do: fc.constant('introduce'), node: anyNode, id: fc.nat(6), key: anyKey }),
  of(12, { do: fc.constant('signal'), socket: anySocket, count: fc.integer({ min: 1, max: 5 }) }),
  of(12, { do: fc.constant('wait'), ms: fc.oneof(fc.nat(5), fc.nat(500), fc.nat(25_000)) }),
  of(1, { do: fc.constantFrom('lose', 'find'), node: anyNode }),
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'flush' }, { do: 'kill' }) },
)

interface Client {
  readonly member: RigNode
  readonly socket: number
  hasLeft: boolean
}

it('never leaves a key with two, a client without an answer, or an introduction behind, whatever the bus does', () => {
  let crossed = 0
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100, size: 'max' }),
      fc.array(fate, { maxLength: 80, size: 'max' }),
      (steps, fates) => {
        const cluster = new ClusterRig()
        cluster.fates = [...fates]
        const sockets: Client[] = []
        const proved = new Map<number, { atMs: number; client: Client; isAlone: boolean }>()
        const send = ({ member, socket }: Client, message: Parameters<HubRig['send']>[1]) =>
          member.act(() => member.rig.closed.has(socket) || member.rig.send(socket, message))
        /** Every peer shows that it is there. */
        const pass = (ms: number) => {
          for (let leftMs = ms; leftMs > 0; leftMs -= claimMs) {
            for (const { member, socket } of sockets) {
              member.act(
                () => member.rig.closed.has(socket) || member.rig.handle({ kind: 'pong', socket, bytes: 0 }),
              )
            }
            cluster.advance(Math.min(leftMs, claimMs))
          }
        }
        const enter = (node: number) => {
          const member = cluster.members[node]
          if (member === undefined || member.isDead) return undefined
          let socket = 0
          member.act(() => (socket = member.rig.connect()))
          const client = { member, socket, hasLeft: false }
          sockets.push(client)
          return client
        }
        for (const now of steps) {
          // The latest are the ones with something to say.
          const client =
            'socket' in now ? sockets.at(-1 - (now.socket % Math.max(1, sockets.length))) : undefined
          switch (now.do) {
            case 'register': {
              const peer = enter(now.node)
              if (peer === undefined) break
              send(peer, peer.member.rig.proof(peer.socket, keyOf(now.key)))
              // Whose claim comes first is the bus's to say when two prove a key at nearly the same time.
              const isAlone = cluster.nowMs - (proved.get(now.key)?.atMs ?? 0) > 1_000
              proved.set(now.key, { atMs: cluster.nowMs, client: peer, isAlone })
              break
            }
            case 'introduce': {
              const asking = enter(now.node)
              if (asking === undefined) break
              asking.member.note(asking.socket, idOf(now.id))
              asking.member.heard.push({ kind: 'asked', socket: asking.socket, id: idOf(now.id) })
              send(asking, { type: 'introduce', id: idOf(now.id), to: keyOf(now.key) })
              break
            }
            case 'signal': {
              const known = client?.member.knows.get(client.socket)
              if (client === undefined || known === undefined) break
              for (let count = 0; count < now.count; count += 1) {
                const data = `${client.member.name}-${client.socket}-${(known.signals += 1)}`
                send(client, { type: 'signal', id: known.id, data })
              }
              break
            }
            case 'close': {
              const known = client?.member.knows.get(client.socket)
              if (client === undefined || known === undefined) break
              client.member.heard.push({ kind: 'ended', socket: client.socket, id: known.id })
              send(client, { type: 'close', id: known.id, reason: 'done' })
              break
            }
            case 'undelivered': {
              const known = client?.member.knows.get(client.socket)
              if (client === undefined || known === undefined) break
              const { member, socket } = client
              member.act(() =>
                member.rig.handle({ kind: 'undelivered', socket, id: known.id, what: 'signal' }),
              )
              break
            }
            case 'leave':
              if (client === undefined) break
              client.hasLeft = true
              client.member.heard.push({ kind: 'left', socket: client.socket })
              client.member.act(() => client.member.rig.leave(client.socket))
              break
            case 'wait':
              pass(now.ms)
              break
            case 'lose':
              cluster.members[now.node]?.lose()
              break
            case 'find':
              cluster.members[now.node]?.find()
              break
            case 'flush':
              cluster.register.clear()
              break
            case 'kill':
              cluster.members[0]?.kill()
          }
        }
        // The bus behaves from now on, and everybody has joined.
        cluster.fates = []
        for (const member of cluster.members) member.find()
        const alive = cluster.members.filter(({ isDead }) => !isDead)
        // The longest chain: a batch that fails, and the claims after it.
        pass(4 * claimMs)
        for (const { rig } of alive) {
          expect(rig.hub.counts().introductions).toBe(0)
          expect(rig.hub.cluster()).toMatchObject({ neighbours: 0, sought: 0 })
        }
        for (const key of [1, 2]) {
          const name = toBase64Url(keyOf(key))
          const holders = alive.filter(({ announcements }) => announcements.has(name))
          expect(holders.length).toBeLessThanOrEqual(1)
          const located = cluster.register.locate(name, cluster.nowMs)
          expect(located).toBe(holders[0]?.name)
          const last = proved.get(key)
          if (last === undefined || !last.isAlone || last.client.member.isDead || last.client.hasLeft)
            continue
          expect(holders[0]).toBe(last.client.member)
          expect(last.client.member.rig.closed.has(last.client.socket)).toBe(false)
        }
        for (const member of alive) {
          expect(member.rig.hub.counts().registered).toBe(member.announcements.size)
          crossed += checkHeard(member)
        }
      },
    ),
    { numRuns: 400 },
  )
  expect(crossed).toBeGreaterThan(50)
}, 60_000)

/**
 * Whoever asked was answered, what was told to be open was ended once, and signals came in order. How many of them
 * there were.
 */
function checkHeard({ heard }: RigNode): number {
  const asked = new Set<string>()
  const open = new Map<string, number>()
  let opened = 0
  for (const one of heard) {
    const { kind, socket } = one
    if (kind === 'close' || kind === 'left') {
      for (const name of [...open.keys(), ...asked]) {
        if (!name.startsWith(`${socket} `)) continue
        open.delete(name)
        asked.delete(name)
      }
    } else if (kind === 'asked') asked.add(`${socket} ${one.id}`)
    else if (kind === 'ended') {
      open.delete(`${socket} ${one.id}`)
      asked.delete(`${socket} ${one.id}`)
    } else if (kind === 'send') opened += checkMessage(one, asked, open)
  }
  expect([...asked, ...open.keys()]).toEqual([])
  return opened
}

function checkMessage(
  { socket, message }: Extract<SocketEffect, { kind: 'send' }>,
  asked: Set<string>,
  open: Map<string, number>,
): number {
  const name = 'id' in message ? `${socket} ${message.id}` : ''
  switch (message.type) {
    case 'introduced':
      expect(asked.delete(name)).toBe(true)
      open.set(name, 0)
      return 1
    case 'error':
      asked.delete(name)
      return 0
    case 'incoming':
      expect(open.has(name)).toBe(false)
      open.set(name, 0)
      return 1
    case 'signal': {
      const number = Number(message.data.split('-').at(-1))
      // Each from the first on, none left out.
      expect(number).toBe((open.get(name) ?? NaN) + 1)
      open.set(name, number)
      return 0
    }
    case 'closed':
      expect(open.delete(name)).toBe(true)
      return 0
    default:
      return 0
  }
}
