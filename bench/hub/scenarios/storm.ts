import { row, spreadRow, type Row } from '../figures.ts'
import { withWorker } from '../crew.ts'
import type { Scenario, Stage } from '../scenario.ts'

/** Below the registrations a second that the hub lets in. */
const fillPerSecond = 400

/** The hub is killed, with all its peers registered, and started anew two seconds later. */
export const storm: Scenario = {
  about: 'the hub is killed and started again: how its peers come back',
  peers: 10_000,
  seconds: 90,
  workers: 2,
  needsOwnHub: true,
  run: (stage) => comeBack(stage, 'SIGKILL'),
}

/** The hub is told to end, and another takes its place at once. */
export const restart: Scenario = {
  about: 'the hub is restarted with SIGTERM: peers move, an rtc connection goes on',
  peers: 10_000,
  seconds: 90,
  workers: 2,
  // The server of the rtc connection is one more than the default allows.
  limits: { registeredPeers: 10_001 },
  needsOwnHub: true,
  async run(stage) {
    return await withWorker(async (pair) => {
      await pair.ask('openRtcPair', { hubUrl: stage.hub.url })
      const rows = await comeBack(stage, 'SIGTERM')
      const roundTrips = await pair.ask('closeRtcPair', undefined)
      return [...rows, spreadRow('round trips of the rtc connection, unbroken', roundTrips)]
    })
  },
}

async function comeBack(stage: Stage, signal: 'SIGKILL' | 'SIGTERM'): Promise<Row[]> {
  const { hub, crew, peers, seconds } = stage
  const each = Math.floor(peers / crew.workers.length)
  const paced = { peers: each, atOnce: 50, perSecond: fillPerSecond / crew.workers.length }
  await crew.askAll('keepRegistered', () => ({ hubUrl: hub.url, ...paced }))
  const watched = crew.askAll('registrations', () => ({ withinMs: seconds * 1000 }))
  const endedAt = Date.now()
  const { tookMs, code } = await hub.end(signal)
  const rows: Row[] = []
  if (signal === 'SIGTERM') {
    rows.push(
      row(
        'the hub ended after',
        `${(tookMs / 1000).toFixed(1)} s with ${code}`,
        '0 within 30 s',
        code === 0 && tookMs < 30_000,
      ),
    )
  } else await new Promise((resolve) => setTimeout(resolve, 2_000))
  await stage.startAgain()
  const upAt = Date.now()
  const moments = (await watched).flat().toSorted((a, b) => a - b)
  const first = moments[0] ?? NaN
  const last = moments.at(-1) ?? NaN
  const total = each * crew.workers.length
  const inSecond = moments.map(
    (moment) => moments.filter((other) => other >= moment && other < moment + 1000).length,
  )
  const busiest = Math.max(...inSecond)
  const mean = moments.length / Math.max(1, (last - first) / 1000)
  await crew.askAll('release', () => undefined)
  return [
    ...rows,
    row('registered again', `${moments.length} of ${total}`, 'all', moments.length === total),
    row(
      'the last one after',
      `${((last - endedAt) / 1000).toFixed(1)} s`,
      `${seconds} s`,
      last - endedAt <= seconds * 1000,
    ),
    row('the first and the last after the new hub was up', `${first - upAt} and ${last - upAt} ms`),
    row(
      'registrations a second, busiest and mean',
      `${busiest} and ${mean.toFixed(0)}`,
      'at most 3 times the mean',
      busiest <= 3 * mean,
    ),
    row('in each second', perSecond(moments, first)),
  ]
}

function perSecond(moments: readonly number[], from: number): string {
  const counts: number[] = []
  for (const moment of moments) {
    const second = Math.floor((moment - from) / 1000)
    counts[second] = (counts[second] ?? 0) + 1
  }
  return Array.from(counts, (times) => times ?? 0).join(' ')
}
