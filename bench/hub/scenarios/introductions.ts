import { row, spreadRow, sumOf, tallyRow } from '../figures.ts'
import type { Scenario } from '../scenario.ts'

/** Ordinary work, more of it than one hub is likely to see. */
export const introductions: Scenario = {
  about: 'pairs of peers are introduced again and again: rate, and how long one takes',
  peers: 200,
  seconds: 20,
  workers: 1,
  needsOwnHub: false,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    const before = hub.cpuMs()
    const pairs = Math.ceil(peers / 2 / crew.workers.length)
    const seen = await crew.askAll('introduce', () => ({ url, hubName, pairs, seconds, perSecond: 5 }))
    const cpuMs = hub.cpuMs() - before
    const latencies = seen.flatMap((one) => one.latencies)
    return [
      spreadRow('introduce to answer', latencies),
      row('introductions a second', latencies.length / seconds),
      tallyRow('refused', sumOf(seen.map(({ refusals }) => refusals))),
      row('CPU per introduction', `${(cpuMs / latencies.length).toFixed(2)} ms`),
    ]
  },
}
