import { mebibytes, row, sumOf, tallyRow } from '../figures.ts'
import { noRushLimits, type Scenario } from '../scenario.ts'

const waveCount = 20
/** Within which all that one wave has left behind has run out: rates of addresses, closing sockets. */
const settleMs = 1_500

/** Many come and go, again and again: whatever stays behind of each adds up. */
export const waves: Scenario = {
  about: 'peers come and go in twenty waves: whether the memory of the hub stays',
  peers: 5_000,
  seconds: 0,
  workers: 1,
  limits: noRushLimits,
  needsOwnHub: true,
  async run({ hub, crew, peers }) {
    const { url, hubName } = hub
    const memories: number[] = []
    const refusals = []
    for (let wave = 0; wave < waveCount; wave += 1) {
      const seen = await crew.askAll('register', () => ({
        url,
        hubName,
        peers: Math.floor(peers / crew.workers.length),
        atOnce: 50,
      }))
      refusals.push(...seen.map((one) => one.refusals))
      await crew.askAll('leave', () => undefined)
      await new Promise((resolve) => setTimeout(resolve, settleMs))
      memories.push((await hub.memory()).rss)
    }
    const [, second = NaN] = memories
    const last = memories.at(-1) ?? NaN
    const change = (last / second - 1) * 100
    return [
      row('memory after each wave', memories.map(mebibytes).join(' ')),
      row('the last against the second', `${change.toFixed(1)} %`, 'within 5 %', Math.abs(change) <= 5),
      tallyRow('refused', sumOf(refusals)),
    ]
  },
}
