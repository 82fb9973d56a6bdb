import { createLab, type StartPeerOptions } from './lab.ts'
import { natKinds } from './nat.ts'
import { createRandom, type Random } from './random.ts'
import { createFaults, type Faults } from './soak-faults.ts'
import { SoakPeer } from './soak-peer.ts'
import { lookForRemains, medianMebibytes, remainsAtRest, type Remains } from './soak-remains.ts'
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
/** Of one peer, on average: who is many has more of them. */
const betweenFaultsMs = 40_000
/** All pairs talk this long after the last fault has ended. */
const wellAgainMs = 60_000
/** By then each has done everything a few times. */
const warmStorms = 3
/** More would only wait for two processors, and ask more often meanwhile whether the way is there. */
const dialsAtOnce = 12
/** For each dial, however late: another may have taken the time. */
const leastMs = 10_000
/** A stream whose far side is gone has an error by then; what has neither that nor bytes hangs. */
const noticedMs = 90_000
/** A dial in a storm may have to wait for a peer that stands still, at either end. */
const triedMs = noticedMs + 60_000
const triesEveryMs = 1_000

/**
 * Storms of faults, and calms in which the model knows that every pair of peers must come to talk, and which of the streams
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
    const faults = createFaults(lab, peers, random)
    const settle = () => calm(peers, settledMs.length, faults, options)
    const note = (told: Calm) => {
      settledMs.push(told.settledMs)
      for (const violation of told.violations) console.log(violation)
      violations.push(...told.violations)
      return told
    }
    note(await settle())
    const endsAt = performance.now() + options.minutes * 60_000
    let before: Remains | undefined
    for (let storms = 1; before === undefined || performance.now() < endsAt; storms += 1) {
      const trying = tryPairs(peers, random)
      const faultCount = await storm(faults, random, options.peers).finally(trying.stop)
      const { tries } = trying
      const { settledMs: ms, mustLive } = note(await settle())
      violations.push(...(await Promise.all(tries)).flat())
      console.log(
        `${faultCount} faults and ${tries.length} dials in a storm; then all pairs talk after ${(ms / 1000).toFixed(1)} s, ` +
          `${mustLive} of ${peers.length} streams had to live on; ${violations.length} violations, ` +
          `${await medianMebibytes(peers)} MiB in a peer, ` +
          `${Math.max(0, (endsAt - performance.now()) / 60_000).toFixed(1)} min left`,
      )
      if (storms !== warmStorms) continue
      before = await remainsAtRest(peers)
      note(await settle())
    }
    violations.push(...(await lookForRemains(before, peers)))
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
async function storm(faults: Faults, random: Random, peers: number): Promise<number> {
  const endsAt = performance.now() + stormMs
  const running: Promise<void>[] = []
  while (performance.now() < endsAt) {
    running.push(faults.start())
    await pause(random.between(0, (2 * betweenFaultsMs) / peers))
  }
  await Promise.all(running)
  return running.length
}

/** Dials that may fail, for who is reachable in a storm nobody knows; but each comes to an end, or is a violation. */
function tryPairs(
  peers: readonly SoakPeer[],
  random: Random,
): { tries: Promise<string[]>[]; stop: () => void } {
  const tryOne = async (): Promise<string[]> => {
    const [peer, other] = [random.pick(peers), random.pick(peers)]
    try {
      await inTime(peer.talk(other).catch(ignore), triedMs, `the dial from ${peer.name} to ${other.name}`)
      return []
    } catch (thrown) {
      return [messageOf(thrown)]
    }
  }
  const tries: Promise<string[]>[] = []
  const timer = setInterval(() => tries.push(tryOne()), triesEveryMs)
  return { tries, stop: () => clearInterval(timer) }
}

function ignore(): void {}

interface Calm {
  /** How long it took until all had talked. */
  readonly settledMs: number
  /** How many streams had to be what they were. */
  readonly mustLive: number
  readonly violations: readonly string[]
}

/** Each pair comes to talk: its dials go the one way in one calm and the other way in the next. Then the streams are looked at. */
async function calm(
  peers: readonly SoakPeer[],
  round: number,
  faults: Faults,
  { survivesMs }: SoakOptions,
): Promise<Calm> {
  const violations: string[] = []
  let mustLive = 0
  const startedAt = performance.now()
  const pairs = pairsOf(peers, round).values()
  const reachNext = async () => {
    for (const [peer, other] of pairs) {
      const leftMs = Math.max(leastMs, wellAgainMs - (performance.now() - startedAt))
      const reaching = inTime(peer.reach(other, leftMs), leftMs + leastMs, `${peer.name} to ${other.name}`)
      await reaching.catch((thrown: unknown) =>
        violations.push(`${messageOf(thrown)}: ${faults.tell(peer, other)}`),
      )
    }
  }
  await Promise.all(Array.from({ length: dialsAtOnce }, reachNext))
  const settledMs = performance.now() - startedAt
  await Promise.all(
    peers.map(async (peer, index) => {
      const next = peers[(index + 1) % peers.length] ?? peer
      const longestMs = faults.longestMs(peer, next)
      const isToLive = peer.hasKept(next) && longestMs <= survivesMs
      if (isToLive) mustLive += 1
      try {
        const failure = await peer.probeKept(noticedMs)
        if (failure === null) return
        if (isToLive)
          violations.push(
            `the stream from ${peer.name} to ${next.name} broke: ${failure}, faults of ${longestMs.toFixed(0)} ms: ${faults.tell(peer, next)}`,
          )
        await peer.keep(next)
      } catch (thrown) {
        violations.push(messageOf(thrown))
      }
    }),
  )
  faults.forget()
  return { settledMs, mustLive, violations }
}

/** Each pair once, the one that dials first: everyone with the next, then with the one after it. */
function pairsOf<T>(all: readonly T[], round: number): (readonly [T, T])[] {
  const pairs = all.flatMap((one, index) =>
    all.slice(index + 1).map((other, ahead) => ({ pair: [one, other] as const, ahead })),
  )
  return pairs
    .toSorted((a, b) => a.ahead - b.ahead)
    .map(({ pair: [one, other] }) => (round % 2 === 0 ? [one, other] : [other, one]))
}
