import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ready } from '../../../core/ed25519.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import { startHub, type RunningHub } from '../../../signal-server/index.ts'
import { DirectGate } from './direct-gate.ts'
import { expectNoLeftovers, until } from './leftovers.ts'
import { dialPlayed, nextSignal } from './played-peers.ts'
import { connectPair } from './rtc-pair.ts'
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

  it('takes any path at once, beside that, when the server refuses the relay', async () => {
    const offers: Offer[] = []
    // What takes time does not happen: only what is said begins another attempt.
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
    await until(() => {
      vi.advanceTimersByTime(0)
      return offers.length === 2
    }, 'it offers again')
    vi.useRealTimers()
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
