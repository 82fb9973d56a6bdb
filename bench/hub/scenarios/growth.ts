import { withWorker } from '../crew.ts'
import { median, ofRounds, row, type Row, spreadOf } from '../figures.ts'
import type { HubProcess } from '../hub-process.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'
import { sleep } from '../workplace.ts'

/** Of all the peers, those that are there at each step. */
const steps = [1 / 15, 1 / 3, 2 / 3, 1]
const rounds = 3
/** Introductions a second while it is measured: far below what a hub can do, so that their cost is seen and no queue. */
const load = { pairs: 50, perSecond: 4 }
/** What may be more at the last step than at the first, for noise. */
const mostGrowth = 1.25

/** How the cost of a peer, of its registration and of an introduction grows with the number of peers. */
export const growth: Scenario = {
  about: 'more and more peers: memory of each, and what a registration and an introduction cost among them',
  peers: 15_000,
  seconds: 4,
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
      const startedAt = performance.now()
      const before = hub.cpuMs()
      await crew.askAll('register', () => ({ url, hubName, peers: more, atOnce: 50 }))
      const came = more * crew.workers.length
      const eachMs = (hub.cpuMs() - before) / came
      const perSecond = (came / (performance.now() - startedAt)) * 1000
      there += came
      const each = ((await hub.memory()).rss - empty.rss) / there / 1024
      const seen = await measureIntroductions(hub, seconds)
      costs.push(median(seen.costs))
      const { p50, p99 } = spreadOf(seen.latencies)
      const what = `${there.toLocaleString('en')} peers`
      rows.push(
        row(`${what}: memory of each`, `${each.toFixed(1)} KiB`, 'at most 12 KiB', each <= 12),
        row(
          `${what}: a registration`,
          `${eachMs.toFixed(2)} ms of CPU, ${perSecond.toFixed(0)} a second with ${crew.workers.length} clients' processes`,
        ),
        row(
          `${what}: an introduction`,
          `${ofRounds(seen.costs, 2)} ms of CPU, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
        ),
        row(`${what}: idle`, `${(seen.idle * 100).toFixed(1)} % of a processor`),
      )
    }
    await crew.askAll('leave', () => undefined)
    // A step without an introduction, where others have the machine, says nothing of growth.
    const grown = costs.every(Number.isFinite) ? (costs.at(-1) ?? NaN) / (costs[0] ?? NaN) : NaN
    rows.push(
      row('CPU of an introduction, last over first', grown, `at most ${mostGrowth}`, grown <= mostGrowth),
    )
    return rows
  },
}

/** Milliseconds of CPU for each introduction, round by round, without what the peers that are only there take. */
async function measureIntroductions(
  hub: HubProcess,
  seconds: number,
): Promise<{ costs: number[]; latencies: number[]; idle: number }> {
  const { url, hubName } = hub
  const from = hub.cpuMs()
  await sleep(seconds * 1000)
  const idle = (hub.cpuMs() - from) / (seconds * 1000)
  const costs: number[] = []
  const latencies: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = hub.cpuMs()
    const startedAt = performance.now()
    const seen = await withWorker((worker) => worker.ask('introduce', { url, hubName, seconds, ...load }))
    const cpuMs = hub.cpuMs() - before - idle * (performance.now() - startedAt)
    costs.push(cpuMs / seen.latencies.length)
    latencies.push(...seen.latencies)
  }
  return { costs, latencies, idle }
}
