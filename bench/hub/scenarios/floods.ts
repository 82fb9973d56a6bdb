import { row, spreadRow, sumOf, tallyRow } from '../figures.ts'
import { withWorker } from '../crew.ts'
import type { Scenario } from '../scenario.ts'

/** Some that send without end, beside some that are honest. */
export const floods: Scenario = {
  about: 'flooders at full speed, and what honest introductions feel of them',
  peers: 20,
  seconds: 30,
  workers: 1,
  needsOwnHub: false,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    const honest = { url, hubName, pairs: 8, perSecond: 5 }
    return await withWorker(async (worker) => {
      const alone = await worker.ask('introduce', { ...honest, seconds: Math.min(10, seconds) })
      const [beside, floodsSeen] = await Promise.all([
        worker.ask('introduce', { ...honest, seconds }),
        crew.askAll('flood', () => ({ url, flooders: Math.ceil(peers / crew.workers.length), seconds })),
      ])
      const messages = floodsSeen.reduce((sum, seen) => sum + seen.messages, 0)
      const megabytes = floodsSeen.reduce((sum, seen) => sum + seen.megabytes, 0)
      return [
        spreadRow('introductions alone', alone.latencies),
        spreadRow('introductions beside the floods', beside.latencies, 150),
        tallyRow('of these refused', beside.refusals),
        row('messages pushed a second', messages / seconds),
        row('megabytes pushed a second', megabytes / seconds),
        tallyRow('flooders closed with', sumOf(floodsSeen.map(({ closes }) => closes))),
      ]
    })
  },
}
