import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withWorker } from '../crew.ts'
import { mebibytes, median, ofRounds, row, type Row, spreadOf } from '../figures.ts'
import { cpuMsOf, residentOf } from '../process-figures.ts'
import { type RivalName, rivals } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'

const control = 'bare ws'
const names = Object.keys(rivals) as RivalName[]
const peers = names.filter((name) => name !== 'hub' && name !== control)
const rounds = 3
const pairs = 50
const inFlight = 4
/** The first few make a server compile and reserve what it needs in any case. */
const warmUpPeers = 500

interface Routed {
  /** Messages. */
  perSecond: number
  p99Ms: number
  /** Of the server, for a message. */
  cpuMs: number
}

/** The same work for each server, in turn, round after round, so that a noisy machine disturbs them alike. */
export const beside: Scenario = {
  about:
    'the hub beside peerjs-server and the server of y-webrtc: messages a second, memory, long and malformed messages',
  peers: 10_000,
  seconds: 5,
  workers: 0,
  needsOwnHub: true,
  async run({ peers: idlePeers, seconds }) {
    install()
    const routed = new Map(names.map((name) => [name, [] as Routed[]]))
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) routed.get(name)?.push(await measureRouting(name, seconds))
    }
    const rows = names.flatMap((name) => routingRows(name, routed.get(name) ?? []))
    for (const name of peers) rows.push(...ratioRows(name, routed))
    for (const name of names) rows.push(await measureMemory(name, idlePeers))
    for (const name of ['hub', ...peers] as const) rows.push(...(await measureRudeness(name)))
    return rows
  },
}

function routingRows(name: RivalName, results: readonly Routed[]): Row[] {
  const title = name === control ? `${name} (control)` : name
  const all = (what: keyof Routed, factor = 1) => results.map((one) => one[what] * factor)
  return [
    row(`${title}: messages a second`, ofRounds(all('perSecond'))),
    row(`${title}: p99 of one`, `${ofRounds(all('p99Ms'), 1)} ms`),
    row(`${title}: CPU of one`, `${ofRounds(all('cpuMs', 1000))} µs`),
  ]
}

/** Ours over theirs, pair by pair. */
function ratioRows(name: RivalName, routed: ReadonlyMap<RivalName, readonly Routed[]>): Row[] {
  const over = (what: keyof Routed) =>
    (routed.get(name) ?? []).map((one, round) => (routed.get('hub')?.[round]?.[what] ?? NaN) / one[what])
  const [rates, tails] = [over('perSecond'), over('p99Ms')]
  // Where the clients need more than what is left of the machine, this alone tells the servers apart.
  const costs = over('cpuMs').map((ratio) => 1 / ratio)
  const atLeast = (what: string, ratios: readonly number[], least: number) =>
    row(`${what}, hub over ${name}`, ofRounds(ratios, 2), `at least ${least}`, median(ratios) >= least)
  return [
    atLeast('messages a second', rates, 1.2),
    atLeast('messages for the same CPU', costs, 1.2),
    row(`p99, hub over ${name}`, ofRounds(tails, 2), 'at most 1', median(tails) <= 1),
  ]
}

async function measureRouting(name: RivalName, seconds: number): Promise<Routed> {
  const { child, url } = await rivals[name].start()
  try {
    return await withWorker(async (worker) => {
      const before = cpuMsOf(child.pid)
      const { perSecond, latencies } = await worker.ask('route', { name, url, pairs, inFlight, seconds })
      // Two seconds more are for warming up, at the same rate.
      const cpuMs = (cpuMsOf(child.pid) - before) / (perSecond * (seconds + 2))
      return { perSecond, p99Ms: spreadOf(latencies).p99, cpuMs }
    })
  } finally {
    await stop(child)
  }
}

async function measureMemory(name: RivalName, idlePeers: number): Promise<Row> {
  const { child, url } = await rivals[name].start()
  try {
    return await withWorker((first) =>
      withWorker(async (second) => {
        await first.ask('fill', { name, url, peers: warmUpPeers })
        const before = residentOf(child.pid)
        await Promise.all(
          [first, second].map((worker) => worker.ask('fill', { name, url, peers: idlePeers / 2 })),
        )
        const each = (residentOf(child.pid) - before) / idlePeers / 1024
        const what = `${name === control ? `${name} (control)` : name}: memory of an idle peer`
        const seen = `${each.toFixed(1)} KiB`
        return name === 'hub' ? row(what, seen, 'at most 12 KiB', each <= 12) : row(what, seen)
      }),
    )
  } finally {
    await stop(child)
  }
}

/** What 20 MiB in one message and a message that is no JSON do. */
async function measureRudeness(name: RivalName): Promise<Row[]> {
  const { child, url } = await rivals[name].start()
  const rows: Row[] = []
  try {
    for (const kind of ['long', 'malformed'] as const) {
      await withWorker(async (worker) => {
        const before = residentOf(child.pid)
        const seen = await worker.ask('provoke', { name, url, kind, withinMs: 3_000 })
        const grown = mebibytes(residentOf(child.pid) - before)
        const isUp = child.exitCode === null ? 'up' : 'down'
        rows.push(
          row(
            `${name}: ${kind === 'long' ? '20 MiB in one message' : 'a malformed message'}`,
            isUp === 'up' ? `${seen}, server up, ${grown} more` : `${seen}, server down`,
          ),
        )
      })
    }
  } finally {
    await stop(child)
  }
  return rows
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** What the hub is measured beside has a list and a lock of its own, so that nobody who installs the package gets it. */
function install(): void {
  const folder = fileURLToPath(new URL('../../../../bench', import.meta.url))
  if (existsSync(`${folder}/node_modules/peer`) && existsSync(`${folder}/node_modules/y-webrtc`)) return
  execFileSync('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'], {
    stdio: 'inherit',
  })
}
