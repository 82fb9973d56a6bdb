import { mebibytes, row, spreadOf, spreadRow, sumOf, tallyRow } from '../figures.ts'
import { withWorker } from '../crew.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'

/** How many of the peers stop reading. */
const frozenShare = 1 / 5
/** Clients that send to them, each as much as the hub takes from one. */
const feeders = 100

/** The same load twice: to peers that read it, and to peers that do not. */
export const frozen: Scenario = {
  about: 'a fifth of the peers stop reading while others send to them: what the rest feel, and what is held',
  peers: 5_000,
  seconds: 45,
  workers: 1,
  limits: noRushLimits,
  needsOwnHub: true,
  async run({ hub, crew, peers, seconds }) {
    const { url, hubName } = hub
    const honest = { url, hubName, pairs: 8, perSecond: 5, seconds }
    const [holder] = crew.workers
    if (holder === undefined) throw new Error('there is nobody to freeze')
    await holder.ask('register', { url, hubName, peers, atOnce: 50 })
    return await withWorker((prober) =>
      withWorker(async (feeder) => {
        const under = async (keys: string[]) => {
          const before = await hub.memory()
          let most = before.rss
          const watch = setInterval(() => (most = Math.max(most, hub.resident())), 1_000)
          const [probed, fed] = await Promise.all([
            prober.ask('introduce', honest),
            feeder.ask('feed', { url, keys, feeders, seconds }),
          ])
          clearInterval(watch)
          return { probed, fed, grown: most - before.rss }
        }
        const count = Math.floor(peers * frozenShare)
        const reading = await under(await holder.ask('awake', { peers: count }))
        const freezing = await under(await holder.ask('freeze', { peers: count }))
        const closes = await holder.ask('thaw', undefined)
        const p99 = [reading, freezing].map(({ probed }) => spreadOf(probed.latencies).p99)
        const up = (p99[1] ?? NaN) - (p99[0] ?? NaN)
        await holder.ask('leave', undefined)
        return [
          spreadRow('introductions while all read', reading.probed.latencies),
          spreadRow(`introductions while ${count} do not`, freezing.probed.latencies),
          row('p99 up by', `${up.toFixed(1)} ms`, 'less than 5 ms', up < 5),
          row(
            'megabytes sent to them',
            `${reading.fed.megabytes.toFixed(0)} and ${freezing.fed.megabytes.toFixed(0)}`,
          ),
          tallyRow('answers to those who sent', sumOf([freezing.fed.answers])),
          row('memory up by, at most', mebibytes(freezing.grown), '256 MiB', freezing.grown <= 256 * 2 ** 20),
          row('memory up by, while all read', mebibytes(reading.grown)),
          {
            ...tallyRow('the frozen were closed with', closes),
            wanted: 'none left open',
            holds: closes['open'] === undefined,
          },
        ]
      }),
    )
  },
}
