import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ready } from '../../../core/ed25519.ts'
import { limits } from '../../../core/limits.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { Relaying } from '../../../plugs/rtc/relaying.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { DirectGate } from './direct-gate.ts'
import { areClosed, expectNoLeftovers, until } from './leftovers.ts'
import { dialPlayed, nextSignal } from './played-peers.ts'
import { connectPair, exchange } from './rtc-pair.ts'
import type { Offer } from '../../../plugs/rtc/signal-payload.ts'
import type { ServerSignal } from '../../../plugs/rtc/signals.ts'

const stun = 'stun:127.0.0.1:9'
const turn = 'turn:127.0.0.1:9?transport=udp'

let keys: Keys
let hub: RunningHub | undefined
beforeAll(async () => {
  await ready()
  keys = await generateKeys()
})
expectNoLeftovers()
afterEach(async () => {
  await hub?.close()
  hub = undefined
})

/** A hub that names a STUN and a TURN server. */
async function startHubWithTurn(): Promise<RunningHub> {
  hub = await startHub({
    port: 0,
    exemptLoopback: true,
    iceServers: [{ urls: [stun] }],
    turn: { urls: [turn], secret: 'a secret' },
  })
  return hub
}

/** The ICE servers that each connection gathered with. */
function gatheredWith(connections: readonly RTCPeerConnection[]): string[][] {
  return connections.map(
    (connection) => connection.getConfiguration().iceServers?.flatMap(({ urls }) => urls) ?? [],
  )
}

/** With a clock that stands: what is due is done, and what is to come later does not come. */
function untilDone(isSo: () => boolean, what: string): Promise<void> {
  return until(() => {
    vi.advanceTimersByTime(0)
    return isSo()
  }, what)
}

describe('an rtc connection that begins on the relay', () => {
  it('looks for the direct path without TURN first, and with it when there was none', async () => {
    const gate = new DirectGate()
    const pair = await connectPair((await startHubWithTurn()).url, { relay: 'first' }, gate.prepare)
    const links = [pair.clientLinks, pair.serverLinks]
    await until(() => links.every((each) => each.length === 2), 'it has looked twice')
    await until(() => gatheredWith(pair.clientLinks)[1]?.length === 2, 'it gathers')
    for (const each of links) expect(gatheredWith(each)).toEqual([[stun], [stun, turn]])
    expect(pair.client.path).toBe('relay')
    await pair.close()
  })

  it('gives up what the first look still waits for when a later one has found it', async () => {
    let made = 0
    const pair = await connectPair((await startHubWithTurn()).url, { relay: 'first' }, (connection) => {
      // The first of either end hears of no candidate.
      if (made++ < 2) connection.addIceCandidate = () => Promise.resolve()
    })
    expect(pair.client.path).toBe('relay')
    await until(() => pair.client.path === 'direct' && pair.server.path === 'direct', 'it has moved')
    const firsts = [...pair.clientLinks.slice(0, 1), ...pair.serverLinks.slice(0, 1)]
    await until(() => areClosed(firsts), 'the first connection is closed', limits.relay.directTimeoutMs / 2)
    await exchange(pair, 65_536)
    await pair.close()
  })

  it('takes any path beside that, and soon, when the server refuses the relay', async () => {
    const offers: Offer[] = []
    const refuse = vi.spyOn(Relaying.prototype, 'refuse')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { dial, controller, end } = await dialPlayed({
      keys,
      options: { relay: 'first' },
      rules: { relayUrl: () => 'ws://127.0.0.1:9/relay' },
      async serve(signals, peer, id) {
        offers.push((await signals.open(await nextSignal(peer, 0))) as Offer)
        const say = async (signal: ServerSignal) =>
          peer.say({ type: 'signal', id, data: await signals.seal(signal) })
        await say({ kind: 'answer', relayKey: new Uint8Array(32) })
        await say({ kind: 'refused', code: 'RELAY_OFF' })
      },
    })
    await untilDone(() => refuse.mock.calls.length > 0, 'it is refused')
    await new Promise((resolve) => setImmediate(resolve))
    // Less than a stalled dial waits in any case.
    vi.advanceTimersByTime(limits.attempts.unrelayedMs)
    await untilDone(() => offers.length === 2, 'it offers again')
    vi.useRealTimers()
    vi.restoreAllMocks()
    expect(offers.map(({ relay, direct }) => ({ relay, direct }))).toEqual([
      { relay: 'first', direct: true },
      { relay: 'first' },
    ])
    controller.abort()
    await expect(dial).rejects.toMatchObject({ code: 'ABORTED' })
    await end()
  })
})

describe('an rtc connection', () => {
  it('has TURN at a server that does not let the relay carry, whatever the client hopes', async () => {
    const pair = await connectPair((await startHubWithTurn()).url, { relay: 'never' }, undefined, {
      options: { relay: 'first' },
    })
    expect(gatheredWith(pair.clientLinks)[0]).toEqual([stun])
    expect(gatheredWith(pair.serverLinks)[0]).toEqual([stun, turn])
    await pair.close()
  })

  it.each(['never', 'fallback'] as const)(
    'with the relay %s looks with TURN from the beginning',
    async (relay) => {
      const pair = await connectPair((await startHubWithTurn()).url, { relay })
      for (const each of [pair.clientLinks, pair.serverLinks])
        expect(gatheredWith(each)).toEqual([[stun, turn]])
      await pair.close()
    },
  )
})
