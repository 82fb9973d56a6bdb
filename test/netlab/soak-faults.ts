import type { Lab } from './lab.ts'
import type { Random } from './random.ts'
import type { SoakPeer } from './soak-peer.ts'
import { pause } from './waiting.ts'

/** Streams go on this long after the way is back: faults that are nearer to each other are one for them. */
const goesOnMs = 10_000

export interface Faults {
  /** One of them, on a peer that has none, or on the hub; resolves when it is over. */
  start(): Promise<void>
  /** The longest time since `forget` in which one fault after the other befell these two or the hub; infinite where one died. */
  longestMs(peer: SoakPeer, other: SoakPeer): number
  /** What befell these two and the hub since `forget`, each with how many seconds ago it began and ended. */
  tell(peer: SoakPeer, other: SoakPeer): string
  forget(): void
}

type Victim = SoakPeer | 'hub'
type Fault = readonly [name: string, befall: (peer: SoakPeer) => Promise<void>]

interface Trouble {
  readonly victim: Victim
  readonly name: string
  /** By the clock of performance.now(). */
  readonly from: number
  readonly to: number
}

/** Faults of all kinds, one at a time on each peer. Every second peer lives to the end. */
export function createFaults(lab: Lab, peers: readonly SoakPeer[], random: Random): Faults {
  const troubled = new Set<Victim>()
  const died = new Set<Victim>()
  const neighbour = (peer: SoakPeer) => peers[(peers.indexOf(peer) + 1) % peers.length] ?? peer
  let troubles: Trouble[] = []
  const kinds: readonly Fault[] = [
    ['freeze', (peer) => freeze(peer, random)],
    ['cut', (peer) => cut(lab, peer, random)],
    ['part', (peer) => part(lab, peer, neighbour(peer), random)],
    ['flush', ({ place }) => place.flushConntrack()],
    ['change of address', ({ place }) => place.changeAddress()],
    ['renumbering', ({ place }) => place.renumber()],
    ['trouble', (peer) => trouble(lab, peer, random)],
  ]
  async function kill(peer: SoakPeer): Promise<void> {
    died.add(peer)
    await peer.restart()
  }
  const mortalKinds: readonly Fault[] = [['kill', kill], ...kinds]
  const ofThese = (peer: SoakPeer, other: SoakPeer) =>
    troubles.filter(({ victim }) => [peer, other, 'hub'].includes(victim)).toSorted((a, b) => a.from - b.from)
  return {
    async start() {
      const victims = [...peers, 'hub' as const].filter((each) => !troubled.has(each))
      if (victims.length === 0) return
      const victim = random.pick(victims)
      const from = performance.now()
      const [name, befall] = random.pick(
        victim === 'hub' || peers.indexOf(victim) % 2 === 0 ? kinds : mortalKinds,
      )
      troubled.add(victim)
      try {
        await (victim === 'hub' ? restartHub(lab, random) : befall(victim))
      } finally {
        troubled.delete(victim)
        troubles.push({ victim, name: victim === 'hub' ? 'restart' : name, from, to: performance.now() })
      }
    },
    longestMs(peer, other) {
      if (died.has(peer) || died.has(other)) return Infinity
      return longest(ofThese(peer, other))
    },
    tell(peer, other) {
      const now = performance.now()
      const ago = (at: number) => ((now - at) / 1000).toFixed(1)
      return ofThese(peer, other)
        .map(({ victim, name, from, to }) => {
          return `${name} of ${victim === 'hub' ? 'the hub' : victim.name} ${ago(from)} to ${ago(to)} s ago`
        })
        .join(', ')
    },
    forget() {
      troubles = []
      died.clear()
    },
  }
}

/** @param troubles by when they began */
function longest(troubles: readonly Trouble[]): number {
  let [from, to, most] = [-Infinity, -Infinity, 0]
  for (const each of troubles) {
    if (each.from > to + goesOnMs) from = each.from
    to = Math.max(to, each.to)
    most = Math.max(most, to - from)
  }
  return most
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

/** Two that have a stream to each other reach all but each other. */
async function part(lab: Lab, { place }: SoakPeer, other: SoakPeer, random: Random): Promise<void> {
  await lab.part(place.link, other.place.link)
  await pause(random.between(1_000, 40_000))
  await lab.join(place.link, other.place.link)
}

/** A bad line for a while. */
async function trouble(lab: Lab, { place }: SoakPeer, random: Random): Promise<void> {
  const loss = random.between(0.05, 0.3)
  await lab.set({ loss, delayMs: 100, jitterMs: 50, duplicate: 0.02, corrupt: 0.01 }, place.link)
  await pause(random.between(5_000, 30_000))
  await lab.set({}, place.link)
}

/** With or without a goodbye. */
async function restartHub(lab: Lab, random: Random): Promise<void> {
  await (random.between(0, 1) < 0.5 ? lab.hub.kill() : lab.hub.leave())
  await pause(random.between(0, 10_000))
  await lab.hub.start()
}
