import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withWorker } from '../crew.ts'
import { mebibytes, median, row, type Row, spreadOf } from '../figures.ts'
import { cpuMsOf, residentOf } from '../process-figures.ts'
import { type RivalName, rivals } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'

const names = Object.keys(rivals) as RivalName[]
const rounds = 3
const pairs = 50
const inFlight = 4

/** The same work for each of three servers, in turn, round after round, so that a noisy machine disturbs them alike. */
export const beside: Scenario = {
  about:
    'the hub beside peerjs-server and the server of y-webrtc: messages a second, memory, long and malformed messages',
  peers: 10_000,
  seconds: 5,
  workers: 0,
  needsOwnHub: true,
  async run({ peers, seconds }) {
    install()
    const routed = new Map(
      names.map((name) => [name, [] as { perSecond: number; p99: number; cpu: number }[]]),
    )
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) routed.get(name)?.push(await measureRouting(name, seconds))
    }
    const rows: Row[] = []
    for (const name of names) {
      const results = routed.get(name) ?? []
      const figures = (['perSecond', 'p99', 'cpu'] as const).map((what) =>
        median(results.map((one) => one[what])),
      )
      const [perSecond = NaN, p99 = NaN, cpu = NaN] = figures
      rows.push(
        row(`${name}: messages a second`, perSecond),
        row(`${name}: p99 of one`, `${p99.toFixed(1)} ms`),
        row(`${name}: CPU of one`, `${(cpu * 1000).toFixed(0)} µs`),
      )
    }
    const overEach = (what: 'perSecond' | 'p99' | 'cpu') =>
      names
        .slice(1)
        .map((name) =>
          median(
            (routed.get(name) ?? []).map(
              (one, round) => (routed.get('hub')?.[round]?.[what] ?? NaN) / one[what],
            ),
          ),
        )
    const rates = overEach('perSecond')
    const tails = overEach('p99')
    rows.push(
      row(
        'messages a second, over each of them',
        rates.map((ratio) => ratio.toFixed(2)).join(' and '),
        'at least 1.2',
        rates.every((ratio) => ratio >= 1.2),
      ),
      row(
        'p99, over each of them',
        tails.map((ratio) => ratio.toFixed(2)).join(' and '),
        'at most 1',
        tails.every((ratio) => ratio <= 1),
      ),
    )
    // Where the clients need more than what is left of the machine, this alone tells the servers apart.
    const costs = overEach('cpu').map((ratio) => 1 / ratio)
    rows.push(
      row(
        'messages for the same CPU, over each of them',
        costs.map((ratio) => ratio.toFixed(2)).join(' and '),
        'at least 1.2',
        costs.every((ratio) => ratio >= 1.2),
      ),
    )
    for (const name of names)
      rows.push(...(await measureMemory(name, peers)), ...(await measureRudeness(name)))
    return rows
  },
}

async function measureRouting(name: RivalName, seconds: number) {
  const { child, url } = await rivals[name].start()
  try {
    return await withWorker(async (worker) => {
      const before = cpuMsOf(child.pid)
      const { perSecond, latencies } = await worker.ask('route', { name, url, pairs, inFlight, seconds })
      // Two seconds more are for warming up, at the same rate.
      const cpu = (cpuMsOf(child.pid) - before) / (perSecond * (seconds + 2))
      return { perSecond, p99: spreadOf(latencies).p99, cpu }
    })
  } finally {
    await stop(child)
  }
}

async function measureMemory(name: RivalName, peers: number): Promise<Row[]> {
  const { child, url } = await rivals[name].start()
  try {
    return await withWorker((first) =>
      withWorker(async (second) => {
        // The first few make the server compile and reserve what it needs in any case.
        await first.ask('fill', { name, url, peers: 500 })
        const before = residentOf(child.pid)
        await Promise.all(
          [first, second].map((worker) => worker.ask('fill', { name, url, peers: peers / 2 })),
        )
        const each = (residentOf(child.pid) - before) / peers / 1024
        const seen = `${each.toFixed(1)} KiB`
        return [
          name === 'hub'
            ? row(`${name}: memory per peer`, seen, 'at most 12 KiB', each <= 12)
            : row(`${name}: memory per peer`, seen),
        ]
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
            `${name}: ${kind === 'long' ? '20 MiB' : 'malformed'}`,
            `${seen}, server ${isUp}, ${grown} more`,
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
