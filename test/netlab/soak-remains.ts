import type { Holdings } from './peer.ts'
import type { SoakPeer } from './soak-peer.ts'
import { pause, quantile } from './waiting.ts'

/** Of a peer's own memory, when the soak is over. */
const mostLeftOver = 0.02
/** What is being closed is gone by then. */
const settledMs = 30_000
const lookEveryMs = 1_000
/** After each storm: a look takes a second of a processor. */
const mostLookedAt = 5

/** By life of a peer. */
export interface Remains {
  readonly holdings: ReadonlyMap<string, Holdings>
  readonly ownBytes: ReadonlyMap<string, number>
}

/** What peers hold that have no connection. */
export async function remainsAtRest(peers: readonly SoakPeer[]): Promise<Remains> {
  await Promise.all(peers.map((peer) => peer.drop()))
  await pause(settledMs)
  return { ownBytes: await ownBytesOf(peers), holdings: await holdingsOf(peers) }
}

/** Of the processes that were there from the beginning to the end: says what there is more of. @returns the violations */
export async function lookForRemains(before: Remains, peers: readonly SoakPeer[]): Promise<string[]> {
  const isMore = (life: string, now: Holdings) => {
    const first = before.holdings.get(life)
    return first !== undefined && (now.threads > first.threads || now.handles > first.handles)
  }
  const { ownBytes, holdings } = await remainsAtRest(peers)
  let now = holdings
  // The last two or so connections of WebRTC go with the next garbage collection.
  const endsAt = performance.now() + settledMs
  while (performance.now() < endsAt && [...now].some(([life, held]) => isMore(life, held))) {
    await pause(lookEveryMs)
    now = await holdingsOf(peers)
  }
  const growth = [...ownBytes].flatMap(([life, bytes]) => {
    const first = before.ownBytes.get(life)
    return first === undefined ? [] : [bytes / first - 1]
  })
  const left = [...now].filter(([life, held]) => isMore(life, held))
  const median = quantile(growth, 0.5)
  const [middle, most] = [median, quantile(growth, 1)].map((share) => (share * 100).toFixed(2))
  console.log(`own memory of ${growth.length} processes: ${middle} % more, ${most} % at most`)
  return [
    ...left.map(
      ([life, held]) => `${life} holds ${told(held)}, and ${told(before.holdings.get(life))} at first`,
    ),
    ...(median > mostLeftOver ? [`${middle} % of memory is left over`] : []),
  ]
}

/** Of a few peers, with whatever is under way. */
export async function medianMebibytes(peers: readonly SoakPeer[]): Promise<string> {
  const bytes = await ownBytesOf(peers.slice(0, mostLookedAt))
  return (quantile([...bytes.values()], 0.5) / 2 ** 20).toFixed(2)
}

function holdingsOf(peers: readonly SoakPeer[]): Promise<Map<string, Holdings>> {
  return ofEach(peers, (peer) => peer.holdings())
}

function ownBytesOf(peers: readonly SoakPeer[]): Promise<Map<string, number>> {
  return ofEach(peers, (peer) => peer.ownBytes())
}

async function ofEach<T>(
  peers: readonly SoakPeer[],
  ask: (peer: SoakPeer) => Promise<T>,
): Promise<Map<string, T>> {
  return new Map(await Promise.all(peers.map(async (peer) => [peer.process, await ask(peer)] as const)))
}

function told(held: Holdings | undefined): string {
  return `${held?.threads} threads, ${held?.handles} handles`
}
