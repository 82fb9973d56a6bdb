import type { LabHub } from './hub.ts'
import type { Lab, LabPlace } from './lab.ts'
import { connectPair, exchangeAll, probePair, type Pair } from './pair.ts'
import type { LabPeer } from './peer.ts'
import { inTime, pause } from './waiting.ts'

/** A connection, and where its ends are. */
export interface Stage {
  readonly lab: Lab
  /** That both ends use; on a stage with a relayed connection, its relay too. */
  readonly hub: LabHub
  readonly client: LabPeer
  readonly server: LabPeer
  readonly places: readonly [client: LabPlace, server: LabPlace]
  readonly pair: Pair
  /** What the server printed. */
  readonly address: string
}

/** Resolves with what took how long, in milliseconds; rejects when what must hold does not. */
export type Play = (stage: Stage) => Promise<number>

export interface Scenario {
  /** Where the connection is when it begins: directly between two NATs, or through the hub's relay, for there is no UDP. */
  readonly path: 'direct' | 'relay'
  readonly play: Play
}

/** Streams go on by themselves within this of the way being back. */
const goesOnMs = 5_000
/** What no longer has a way is noticed: asked after 5 s, dead after 7 more, and given up `resumeMs`, a minute, later. */
const noticedMs = 90_000
/** From a hub's return until everyone is registered again: a minute of backoff at most, less when the hub said goodbye. */
const registeredMs = 60_000
const checkedBytes = 256 * 1024

/** The link of the server is down for so long; connections are not told. */
function blackout(seconds: number): Play {
  return async ({ lab, places: [, place], pair }) => {
    await lab.down(place.link)
    const probing = probePair(pair)
    probing.catch(() => undefined)
    await pause(seconds * 1000)
    await lab.up(place.link)
    return goesOn(pair, probing)
  }
}

/** The provider gives the NAT of the server, of the client, or of both at once another address. */
function addressChange(sides: readonly ('client' | 'server')[]): Play {
  return async ({ places: [client, server], pair }) => {
    const places = { client, server }
    await Promise.all(sides.map((side) => places[side].changeAddress()))
    return goesOn(pair, probePair(pair))
  }
}

/** The machine of the server, or of the client, has another address itself: what was bound to the old one leads nowhere. */
function renumbered(side: 'client' | 'server'): Play {
  return async ({ places: [clientPlace, serverPlace], pair }) => {
    await (side === 'client' ? clientPlace : serverPlace).renumber()
    return goesOn(pair, probePair(pair))
  }
}

/** As a laptop that is carried through a building: it has no network, then one, and so much later another, while it still looks for a path. */
function movedWhileResuming(ms: number): Play {
  return async ({ lab, places: [, place], pair }) => {
    await lab.down(place.link)
    const probing = probePair(pair).then(() => probePair(pair))
    probing.catch(() => undefined)
    await pause(awayMs)
    await lab.up(place.link)
    await pause(ms)
    await place.changeAddress()
    return goesOn(pair, probing)
  }
}

const awayMs = 12_000

/** Both NATs forget all their flows, as routers do that restart. */
const conntrackFlush: Play = async ({ places, pair }) => {
  await Promise.all(places.map((place) => place.flushConntrack()))
  return goesOn(pair, probePair(pair))
}

/** The hub dies without a word and comes back with nothing of what it knew; then there is a new dial. */
const hubRestart: Play = async (stage) => {
  const { hub, pair } = stage
  await hub.kill()
  await inTime(probePair(pair), goesOnMs, 'the stream, while the hub is away')
  await hub.start()
  const startedAt = performance.now()
  await inTime(untilDialed(stage), registeredMs, 'a new dial')
  await exchangeAll(pair, checkedBytes)
  return performance.now() - startedAt
}

/** The relay dies without a word, the hub that it is with it, and knows no circuit when it is back. */
const relayKilled: Play = async ({ hub, pair }) => {
  await hub.kill()
  const probing = probePair(pair)
  probing.catch(() => undefined)
  await pause(relayAwayMs)
  await hub.start()
  return goesOn(pair, probing)
}

const relayAwayMs = 10_000

/** One end dies, is stopped, or has its cable pulled: the other has an error in bounded time. */
function lostPeer(how: 'SIGKILL' | 'SIGSTOP' | 'cable'): Play {
  return async ({ lab, client, server, places: [, place], pair }) => {
    const startedAt = performance.now()
    if (how === 'cable') await lab.down(place.link)
    else server.kill(how)
    try {
      const ending = await inTime(client.ending(pair.dialed), noticedMs, 'an error')
      if (ending === 'end') throw new Error('a lost peer looked like a clean end')
      return performance.now() - startedAt
    } finally {
      if (how === 'cable') await lab.up(place.link)
      else server.kill('SIGKILL')
    }
  }
}

/** So many bytes each way under loss, while the addresses of both NATs change, three times in all. */
function pathChangesUnderLoss(mebibytes: number): Play {
  return async ({ lab, places: [clientPlace, serverPlace], pair }) => {
    await lab.set({ delayMs: 10, loss: 0.01, reorder: 0.01, duplicate: 0.01 })
    const startedAt = performance.now()
    const exchanging = exchangeAll(pair, mebibytes * 1024 * 1024)
    const changing = (async () => {
      for (const place of [clientPlace, serverPlace, clientPlace]) {
        await pause(betweenChangesMs)
        await place.changeAddress()
      }
    })()
    // A slow network, and a minute for the changes: what takes longer hangs.
    await inTime(exchanging, 60_000 + mebibytes * 10_000, `${mebibytes} MiB each way`)
    await changing
    await lab.set({})
    return performance.now() - startedAt
  }
}

const betweenChangesMs = 5_000

/** By name, as the command takes them. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  ...Object.fromEntries(
    [5, 15, 25, 40, 50].map((seconds) => [`blackout-${seconds}`, directly(blackout(seconds))]),
  ),
  'address-change-client': directly(addressChange(['client'])),
  'address-change-server': directly(addressChange(['server'])),
  'address-change-both': directly(addressChange(['client', 'server'])),
  'renumbered-client': directly(renumbered('client')),
  'renumbered-server': directly(renumbered('server')),
  ...Object.fromEntries(
    [500, 1_000, 1_500, 2_000].map((ms) => [`moved-while-resuming-${ms}`, directly(movedWhileResuming(ms))]),
  ),
  'conntrack-flush': directly(conntrackFlush),
  'hub-restart': directly(hubRestart),
  'relay-killed': { path: 'relay', play: relayKilled },
  'peer-killed': directly(lostPeer('SIGKILL')),
  'peer-stopped': directly(lostPeer('SIGSTOP')),
  'cable-pulled': directly(lostPeer('cable')),
  'path-changes-16': directly(pathChangesUnderLoss(16)),
  'path-changes-256': directly(pathChangesUnderLoss(256)),
}

function directly(play: Play): Scenario {
  return { path: 'direct', play }
}

/** The stream is alive, and whole to its end. */
async function goesOn(pair: Pair, probing: Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await inTime(probing, goesOnMs, 'the stream going on')
  const tookMs = performance.now() - startedAt
  await exchangeAll(pair, checkedBytes)
  return tookMs
}

/** Until the server has found its hub again. */
async function untilDialed({ client, server, address }: Stage): Promise<void> {
  for (;;) {
    try {
      await exchangeAll(await connectPair(client, server, address), checkedBytes)
      return
    } catch {
      await pause(250)
    }
  }
}
