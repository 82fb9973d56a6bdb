import type { Path } from '../../core/types.ts'
import type { Faults } from './internet.ts'
import { createLab, type Lab, type LabPlace, type StartPeerOptions } from './lab.ts'
import { canBeDirect, natKinds, type NatKind } from './nat.ts'
import { abortPair, connectPair, describePair, probePair } from './pair.ts'
import type { LabPeer } from './peer.ts'
import { inTime, messageOf, quantile, rounded } from './waiting.ts'

export interface GridOptions {
  readonly seeds: readonly number[]
  /** Of {@link networks}. */
  readonly networks: readonly string[]
  /** `stun`: without TURN, and then, unless the hub relays, only pairs that can be direct. */
  readonly hub: 'turn' | 'stun'
  /** `udp`: loss, reordering, duplicates and corruption spare the way to the hub, and TURN over TCP. */
  readonly loss: 'all' | 'udp'
  readonly peers: StartPeerOptions
}

/** From the dial to the direct path, where there is one: 95 of 100 are to be faster. */
interface Network {
  readonly faults: Faults
  readonly directMs: number
}

/** Round trips and losses are those between any two hosts, both ways. */
export const networks: Readonly<Record<string, Network>> = {
  clean: { faults: {}, directMs: 1_500 },
  rtt100: { faults: { delayMs: 50 }, directMs: 1_500 },
  rtt200loss10: { faults: { delayMs: 100, loss: 0.1 }, directMs: 4_000 },
  rtt300loss19: {
    faults: { delayMs: 150, jitterMs: 30, loss: 0.19, reorder: 0.05, duplicate: 0.02, corrupt: 0.005 },
    directMs: 8_000,
  },
}

interface Dialed {
  readonly network: string
  readonly pair: string
  readonly seed: number
  /** From the dial to the connection, and to the direct path. */
  readonly openMs?: number
  readonly directMs?: number
  readonly path?: Path | null
  readonly error?: string
}

const pairs = natKinds.flatMap((a, index) => natKinds.slice(index).map((b) => [a, b] as const))
/** How long a path may take to become direct before it is said to be none. */
const patienceMs = 30_000

/** Every pair in every network with every seed; one table a network. @returns whether all was as it must be */
export async function runGrid(options: GridOptions): Promise<boolean> {
  const all: Dialed[] = []
  for (const seed of options.seeds) {
    const lab = await createLab({ nats: [...natKinds, ...natKinds], seed })
    try {
      for (const network of options.networks) all.push(...(await runRound(lab, network, seed, options)))
    } finally {
      await lab.close()
    }
  }
  return options.networks.map((network) => report(network, all)).every(Boolean)
}

async function runRound(lab: Lab, network: string, seed: number, options: GridOptions): Promise<Dialed[]> {
  const hub = options.hub === 'turn' ? lab.hub : await lab.startHub({ iceServers: lab.turn.stun })
  const results: Dialed[] = []
  await lab.set({ ...networks[network]?.faults, sparesTcp: options.loss === 'udp' })
  for (const [a, b] of pairs) {
    if (options.hub === 'stun' && options.peers.relay === 'never' && !canBeDirect(a, b)) continue
    // Each kind dials and is dialed.
    const [from, to] = seed % 2 === 0 ? [a, b] : [b, a]
    const [client, server] = [placeOf(lab, from, 0), placeOf(lab, to, 1)].map((place) =>
      place.start({ ...options.peers, hub }),
    ) as [LabPeer, LabPeer]
    const result = await dial(client, server, canBeDirect(a, b))
    results.push({ network, pair: `${a} × ${b}`, seed, ...result })
    await Promise.all([client.stop(), server.stop()])
  }
  await lab.set({})
  return results
}

function placeOf(lab: Lab, kind: NatKind, which: 0 | 1): LabPlace {
  const place = lab.places[natKinds.indexOf(kind) + which * natKinds.length]
  if (place === undefined) throw new Error(`no place is ${kind}`)
  return place
}

async function dial(
  client: LabPeer,
  server: LabPeer,
  isDirect: boolean,
): Promise<Omit<Dialed, 'network' | 'pair' | 'seed'>> {
  try {
    const address = await server.listen()
    const startedAt = performance.now()
    const pair = await connectPair(client, server, address)
    const openMs = performance.now() - startedAt
    if (isDirect) await inTime(client.pathBecomes(pair.dialed, 'direct'), patienceMs, 'a direct path')
    const directMs = isDirect ? performance.now() - startedAt : undefined
    await inTime(probePair(pair), patienceMs, 'bytes both ways')
    const [{ path }] = await describePair(pair)
    await abortPair(pair)
    return { openMs, path, ...(directMs === undefined ? {} : { directMs }) }
  } catch (thrown) {
    return { error: messageOf(thrown) }
  }
}

function report(network: string, all: readonly Dialed[]): boolean {
  const mine = all.filter((each) => each.network === network)
  const names = [...new Set(mine.map(({ pair }) => pair))]
  const limitMs = networks[network]?.directMs ?? 0
  const direct = mine.flatMap(({ directMs }) => directMs ?? [])
  const failed = mine.filter(({ error }) => error !== undefined)
  console.log(`\n${network}`)
  console.table(
    Object.fromEntries(names.map((pair) => [pair, summary(mine.filter((each) => each.pair === pair))])),
  )
  for (const { pair, seed, error } of failed) console.log(`${pair}, seed ${seed}: ${error}`)
  console.log(
    `${mine.length - failed.length} of ${mine.length} open; to direct, p95: ${rounded(direct, 0.95)} ms (bound ${limitMs})`,
  )
  return failed.length === 0 && !(quantile(direct, 0.95) > limitMs)
}

function summary(dials: readonly Dialed[]): Record<string, string | number> {
  const opened = dials.flatMap(({ openMs }) => openMs ?? [])
  const direct = dials.flatMap(({ directMs }) => directMs ?? [])
  const paths = dials.flatMap(({ path }) => path ?? [])
  return {
    open: `${opened.length} of ${dials.length}`,
    paths: [...new Set(paths)]
      .map((path) => `${paths.filter((each) => each === path).length} ${path}`)
      .join(', '),
    'open ms, median': rounded(opened, 0.5),
    'open ms, most': rounded(opened, 1),
    'direct ms, median': rounded(direct, 0.5),
    'direct ms, most': rounded(direct, 1),
  }
}
