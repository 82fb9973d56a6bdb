import { mebibytes, row, spreadRow, sumOf, tallyRow } from '../figures.ts'
import { withWorker } from '../crew.ts'
import type { Scenario } from '../scenario.ts'

/** Everything that is wrong, beside peers that are honest. */
export const fuzz: Scenario = {
  about: 'malformed, hostile, oversized and misplaced messages, and what honest introductions feel of them',
  peers: 50,
  seconds: 600,
  workers: 1,
  needsOwnHub: false,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e9)
    const memories: number[] = []
    const look = () => void memories.push(hub.resident())
    return await withWorker(async (prober) => {
      const watch = setInterval(look, (seconds * 1000) / 10)
      const [seen, probed] = await Promise.all([
        crew.askAll('fuzz', (index) => ({
          url,
          seconds,
          sockets: Math.ceil(peers / crew.workers.length),
          seed: seed + 1_000 * index,
        })),
        prober.ask('introduce', { url, hubName, pairs: 8, perSecond: 5, seconds }),
      ])
      clearInterval(watch)
      look()
      const { prototypeKeys } = await hub.memory()
      return [
        row('seed (SEED)', String(seed)),
        row(
          'hostile messages',
          seen.reduce((sum, one) => sum + one.sent, 0),
        ),
        row(
          'connections',
          seen.reduce((sum, one) => sum + one.connections, 0),
        ),
        tallyRow('answered with', sumOf(seen.map(({ answers }) => answers))),
        tallyRow('closed with', sumOf(seen.map(({ closes }) => closes))),
        spreadRow('honest introductions', probed.latencies),
        {
          ...tallyRow('of these refused', probed.refusals),
          wanted: 'none',
          holds: Object.keys(probed.refusals).length === 0,
        },
        row('the hub is up', hub.isUp ? 'yes' : 'no', 'yes', hub.isUp),
        row(
          'added to Object.prototype',
          prototypeKeys.join(' ') || 'nothing',
          'nothing',
          prototypeKeys.length === 0,
        ),
        row('memory over the run', memories.map(mebibytes).join(' ')),
      ]
    })
  },
}
