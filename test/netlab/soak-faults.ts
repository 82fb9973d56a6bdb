import type { Lab } from './lab.ts'
import type { Random } from './random.ts'
import type { SoakPeer } from './soak-peer.ts'
import { pause } from './waiting.ts'

type Fault = (peer: SoakPeer) => Promise<void>

/** Faults of all kinds, one at a time on each peer. */
export interface Faults {
  /** One of them, on a peer that has none; resolves when it is over. Nothing when all peers have one. */
  start(): Promise<void>
}

export function createFaults(lab: Lab, peers: readonly SoakPeer[], random: Random): Faults {
  const troubled = new Set<SoakPeer>()
  const kinds: readonly Fault[] = [
    kill,
    (peer) => freeze(peer, random),
    (peer) => cut(lab, peer, random),
    ({ place }) => place.flushConntrack(),
    ({ place }) => place.changeAddress(),
    (peer) => trouble(lab, peer, random),
    hubRestarts(lab, random),
  ]
  return {
    async start() {
      const free = peers.filter((peer) => !troubled.has(peer))
      if (free.length === 0) return
      const peer = random.pick(free)
      const fault = random.pick(kinds)
      const startedAt = performance.now()
      troubled.add(peer)
      try {
        await fault(peer)
      } finally {
        troubled.delete(peer)
        peer.longestFaultMs = Math.max(peer.longestFaultMs, performance.now() - startedAt)
      }
    },
  }
}

async function kill(peer: SoakPeer): Promise<void> {
  await peer.restart()
  peer.longestFaultMs = Number.POSITIVE_INFINITY
}

async function freeze(peer: SoakPeer, random: Random): Promise<void> {
  peer.freeze()
  await pause(random.between(1_000, 30_000))
  peer.thaw()
}

async function cut(lab: Lab, { place }: SoakPeer, random: Random): Promise<void> {
  await lab.down(place.link)
  await pause(random.between(1_000, 40_000))
  await lab.up(place.link)
}

/** A bad line for a while. */
async function trouble(lab: Lab, { place }: SoakPeer, random: Random): Promise<void> {
  const loss = random.between(0.05, 0.3)
  await lab.set({ loss, delayMs: 100, jitterMs: 50, duplicate: 0.02, corrupt: 0.01 }, place.link)
  await pause(random.between(5_000, 30_000))
  await lab.set({}, place.link)
}

/** With or without a goodbye; the peer has nothing to do with it. */
function hubRestarts(lab: Lab, random: Random): Fault {
  let isAway = false
  return async () => {
    if (isAway) return
    isAway = true
    await (random.between(0, 1) < 0.5 ? lab.hub.kill() : lab.hub.leave())
    await pause(random.between(0, 10_000))
    await lab.hub.start()
    isAway = false
  }
}
