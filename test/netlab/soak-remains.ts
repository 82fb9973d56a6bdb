import type { Holdings } from './peer.ts'
import type { SoakPeer } from './soak-peer.ts'
import { pause, quantile } from './waiting.ts'

/** Of the heap and the buffers of a peer's process, when the soak is over. */
const mostLeftOver = 0.02
/** What is being closed is gone by then. */
const settledMs = 30_000
const lookEveryMs = 1_000

/** By life of a peer. */
export type AllHoldings = ReadonlyMap<string, Holdings>

/** What peers hold that have no connection. */
export async function holdingsAtRest(peers: readonly SoakPeer[]): Promise<AllHoldings> {
  await Promise.all(peers.map((peer) => peer.drop()))
  await pause(settledMs)
  return holdingsOf(peers)
}

/** Of the processes that were there from the beginning to the end: says what there is more of. @returns the violations */
export async function lookForRemains(before: AllHoldings, peers: readonly SoakPeer[]): Promise<string[]> {
  const isMore = (life: string, now: Holdings) => {
    const first = before.get(life)
    return first !== undefined && (now.threads > first.threads || now.handles > first.handles)
  }
  let now = await holdingsAtRest(peers)
  // The last two or so connections of WebRTC go with the next garbage collection.
  const endsAt = performance.now() + settledMs
  while (performance.now() < endsAt && [...now].some(([life, held]) => isMore(life, held))) {
    await pause(lookEveryMs)
    now = await holdingsOf(peers)
  }
  const growth = [...now].flatMap(([life, held]) => {
    const first = before.get(life)
    return first === undefined ? [] : [held.liveBytes / first.liveBytes - 1]
  })
  const left = [...now].filter(([life, held]) => isMore(life, held))
  const median = quantile(growth, 0.5)
  const [middle, most] = [median, quantile(growth, 1)].map((share) => (share * 100).toFixed(1))
  console.log(`live memory of ${growth.length} processes: ${middle} % more, ${most} % at most`)
  return [
    ...left.map(([life, held]) => `${life} holds ${told(held)}, and ${told(before.get(life))} at first`),
    ...(median > mostLeftOver ? [`${middle} % of memory is left over`] : []),
  ]
}

/** Of live memory, with whatever is under way. */
export async function medianMebibytes(peers: readonly SoakPeer[]): Promise<string> {
  const bytes = [...(await holdingsOf(peers)).values()].map(({ liveBytes }) => liveBytes)
  return (quantile(bytes, 0.5) / 2 ** 20).toFixed(2)
}

async function holdingsOf(peers: readonly SoakPeer[]): Promise<AllHoldings> {
  return new Map(await Promise.all(peers.map(async (peer) => [peer.process, await peer.holdings()] as const)))
}

function told(held: Holdings | undefined): string {
  return `${held?.threads} threads, ${held?.handles} handles`
}
