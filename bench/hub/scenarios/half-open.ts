import { row, spreadRow, sumOf, tallyRow } from '../figures.ts'
import { withWorker } from '../crew.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'

/** Connections that never become anything, beside peers that register. */
export const halfOpen: Scenario = {
  about: 'connections that stop short at every stage, and what honest registrations feel of them',
  peers: 5_000,
  seconds: 60,
  workers: 1,
  limits: noRushLimits,
  needsOwnHub: false,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    return await withWorker(async (prober) => {
      const [held, probed] = await Promise.all([
        crew.askAll('holdHalfOpen', () => ({
          url,
          sockets: Math.ceil(peers / crew.workers.length),
          seconds,
        })),
        prober.ask('comeAndGo', { url, hubName, seconds, atOnce: 4 }),
      ])
      const left = held.reduce((sum, one) => sum + one.left, 0)
      return [
        spreadRow('honest registrations', probed.latencies, 500),
        tallyRow('of these refused', sumOf([probed.refusals])),
        row(
          'half-open sockets in all',
          held.reduce((sum, one) => sum + one.opened, 0),
        ),
        spreadRow(
          'they lived',
          held.flatMap(({ lives }) => lives),
        ),
        row('left after 6 s', left, 'none', left === 0),
      ]
    })
  },
}
