import { mebibytes, row, spreadRow, sumOf, tallyRow } from '../figures.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'

/** What an idle peer costs the hub. */
export const idle: Scenario = {
  about: 'peers register and do nothing: memory and CPU of the hub for each',
  peers: 10_000,
  seconds: 10,
  workers: 2,
  limits: noRushLimits,
  needsOwnHub: false,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    const size = crew.workers.length
    // The first few make the hub compile and reserve what it needs in any case.
    await crew.askAll('register', () => ({ url, hubName, peers: 250, atOnce: 50 }))
    await crew.askAll('leave', () => undefined)
    const before = await hub.memory()
    const registered = await crew.askAll('register', () => ({
      url,
      hubName,
      peers: Math.floor(peers / size),
      atOnce: 50,
    }))
    const after = await hub.memory()
    const cpuBefore = hub.cpuMs()
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const cpuMs = hub.cpuMs() - cpuBefore
    const later = await hub.memory()
    const there = registered.flatMap(({ latencies }) => latencies).length
    const perPeer = (bytes: number) => bytes / there / 1024
    const rss = perPeer(after.rss - before.rss)
    await crew.askAll('leave', () => undefined)
    return [
      spreadRow(
        'registrations',
        registered.flatMap(({ latencies }) => latencies),
      ),
      tallyRow('refused', sumOf(registered.map(({ refusals }) => refusals))),
      row('resident memory per peer', `${rss.toFixed(1)} KiB`, 'at most 12 KiB', rss <= 12),
      row('heap per peer', `${perPeer(after.heap - before.heap).toFixed(1)} KiB`),
      row('hub', mebibytes(later.rss)),
      row('CPU while they are idle', `${(cpuMs / seconds / 10).toFixed(1)} %`),
    ]
  },
}
