import { createLab, type StartPeerOptions } from './lab.ts'
import { natKinds } from './nat.ts'
import { createRandom, type Random } from './random.ts'
import { createFaults, type Faults } from './soak-faults.ts'
import { SoakPeer } from './soak-peer.ts'
import { inTime, messageOf, pause, quantile } from './waiting.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly peers: number
  /** Streams must outlive a fault that is no longer; 0: they are excused from every fault, but never from hanging. */
  readonly survivesMs: number
  readonly options: StartPeerOptions
}

/** So long faults come one after the other; then nothing is done to anyone until all is well again. */
const stormMs = 60_000
const betweenFaultsMs = 4_000
/** Everyone reaches everyone this long after the last fault has ended. */
const wellAgainMs = 60_000
/** For each dial, however late: another may have taken the time. */
const leastMs = 10_000
/** A stream whose far side is gone has an error by then; what has neither that nor bytes hangs. */
const noticedMs = 90_000

/**
 * Storms of faults, and calms in which the model knows that every peer must reach every other, and which of the streams
 * that were kept must have lived on. @returns whether there was no violation
 */
export async function runSoak(options: SoakOptions): Promise<boolean> {
  const nats = Array.from(
    { length: options.peers },
    (_, index) => natKinds[index % natKinds.length] ?? 'portres',
  )
  const lab = await createLab({ nats, seed: options.seed })
  const random = createRandom(options.seed)
  const violations: string[] = []
  const settledMs: number[] = []
  try {
    const peers = await Promise.all(lab.places.map((place) => SoakPeer.start(place, options.options)))
    const endsAt = performance.now() + options.minutes * 60_000
    settledMs.push(await calm(peers, options, violations))
    const before = await memories(peers)
    const faults = createFaults(lab, peers, random)
    let count = 0
    do {
      count += await storm(faults, random)
      settledMs.push(await calm(peers, options, violations))
      const left = Math.max(0, endsAt - performance.now()) / 60_000
      console.log(`${count} faults, ${violations.length} violations, ${left.toFixed(1)} min left`)
    } while (performance.now() < endsAt)
    reportMemory(before, await memories(peers))
    await Promise.all(peers.map((peer) => peer.stop()))
  } finally {
    await lab.close()
  }
  for (const violation of violations) console.log(violation)
  const [median, most] = [0.5, 1].map((share) => Math.round(quantile(settledMs, share)))
  console.log(`all pairs talk after ${median} ms, ${most} ms at most; ${violations.length} violations`)
  return violations.length === 0
}

/** @returns how many faults there were; all of them are over */
async function storm(faults: Faults, random: Random): Promise<number> {
  const endsAt = performance.now() + stormMs
  const running: Promise<void>[] = []
  while (performance.now() < endsAt) {
    running.push(faults.start())
    await pause(random.between(0, 2 * betweenFaultsMs))
  }
  await Promise.all(running)
  return running.length
}

/** @returns how long it took until everyone had reached everyone */
async function calm(
  peers: readonly SoakPeer[],
  { survivesMs }: SoakOptions,
  violations: string[],
): Promise<number> {
  const startedAt = performance.now()
  await Promise.all(
    peers.map(async (peer) => {
      for (const other of peers.filter((each) => each !== peer)) {
        const leftMs = Math.max(leastMs, wellAgainMs - (performance.now() - startedAt))
        const reaching = inTime(peer.reach(other, leftMs), leftMs + leastMs, `${peer.name} to ${other.name}`)
        await reaching.catch((thrown: unknown) => violations.push(messageOf(thrown)))
      }
    }),
  )
  const settledMs = performance.now() - startedAt
  await Promise.all(
    peers.map(async (peer, index) => {
      const next = peers[(index + 1) % peers.length] ?? peer
      const mustLive = peer.hasKept(next) && Math.max(peer.longestFaultMs, next.longestFaultMs) <= survivesMs
      try {
        const lives = await inTime(peer.probeKept(), noticedMs, `the stream that ${peer.name} keeps`)
        if (!lives && mustLive) violations.push(`the stream from ${peer.name} to ${next.name} broke`)
        if (!lives) await peer.keep(next)
      } catch (thrown) {
        violations.push(messageOf(thrown))
      }
    }),
  )
  for (const peer of peers) peer.longestFaultMs = 0
  return settledMs
}

async function memories(peers: readonly SoakPeer[]): Promise<ReadonlyMap<string, number>> {
  return new Map(
    await Promise.all(peers.map(async (peer) => [peer.process, await peer.memoryBytes()] as const)),
  )
}

/** Of the processes that were there from the beginning to the end. */
function reportMemory(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): void {
  const growth = [...after].flatMap(([process, bytes]) => {
    const first = before.get(process)
    return first === undefined ? [] : [(bytes / first - 1) * 100]
  })
  const [median, most] = [0.5, 1].map((share) => quantile(growth, share).toFixed(1))
  console.log(`memory of ${growth.length} processes: ${median} % more, ${most} % at most`)
}
