import { row, type Row, spreadOf } from '../figures.ts'
import { withWorker } from '../crew.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'

/** Of all the peers, those that are there at each step. */
const steps = [1 / 15, 1 / 3, 2 / 3, 1]
/** Introductions a second while it is measured: far below what a hub can do, so that their cost is seen and no queue. */
const load = { pairs: 50, perSecond: 4 }
/** What may be more at the last step than at the first, for noise. */
const mostGrowth = 1.25

/** How the cost of a peer and of an introduction grows with the number of peers. */
export const growth: Scenario = {
  about: 'more and more peers: memory of each, and what an introduction costs among them',
  peers: 15_000,
  seconds: 10,
  workers: 2,
  limits: { ...noRushLimits, registeredPeers: 20_000 },
  needsOwnHub: true,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    await crew.askAll('register', () => ({ url, hubName, peers: 250, atOnce: 50 }))
    await crew.askAll('leave', () => undefined)
    const empty = await hub.memory()
    const rows: Row[] = []
    const costs: number[] = []
    let there = 0
    for (const step of steps) {
      const more = Math.floor((peers * step - there) / crew.workers.length)
      await crew.askAll('register', () => ({ url, hubName, peers: more, atOnce: 50 }))
      there += more * crew.workers.length
      const before = await hub.memory()
      const { latencies } = await withWorker((worker) =>
        worker.ask('introduce', { url, hubName, seconds, ...load }),
      )
      const { cpuMs } = await hub.memory()
      const each = (before.rss - empty.rss) / there / 1024
      const cost = (cpuMs - before.cpuMs) / latencies.length
      const { p50, p99 } = spreadOf(latencies)
      costs.push(cost)
      rows.push(
        row(`${there} peers: memory of each`, `${each.toFixed(1)} KiB`, 'at most 12 KiB', each <= 12),
        row(
          `${there} peers: an introduction`,
          `${cost.toFixed(2)} ms of CPU, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
        ),
      )
    }
    await crew.askAll('leave', () => undefined)
    const grown = (costs.at(-1) ?? NaN) / (costs[0] ?? NaN)
    rows.push(
      row('CPU of an introduction, last over first', grown, `at most ${mostGrowth}`, grown <= mostGrowth),
    )
    return rows
  },
}
