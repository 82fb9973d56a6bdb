import { parseArgs } from 'node:util'
import { isLoopbackHost } from '../../core/hub-name.ts'
import { Crew } from './crew.ts'
import { printRows, row } from './figures.ts'
import { HubProcess } from './hub-process.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/**
 * Loads for a hub, with figures at the end: `npm run bench:hub -- SCENARIO`. Without `--url` the hub is a process
 * of the run; all processes end with it, also when it is interrupted. Exits with 1 when a bound was missed. A parent that
 * has forked it gets the rows as a message.
 */
/** More of either than a run can make sense of, or a machine have sockets for. */
const mostPeers = 18_000
const mostSeconds = 3_600

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: 'string' },
    seconds: { type: 'string' },
    url: { type: 'string' },
    'i-own-this-hub': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const name = positionals[0] ?? ''
const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined

if (values.help || scenario === undefined) {
  printUsage()
  process.exitCode = values.help ? 0 : 2
} else {
  try {
    process.exitCode = (await run(name, scenario)) ? 0 : 1
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error)
    console.error(failed)
    process.send?.({ failed })
    process.exitCode = 2
  }
}

/** Whether every bound held. */
async function run(title: string, chosen: Scenario): Promise<boolean> {
  const peers = numberOf('peers', values.peers ?? String(chosen.peers), mostPeers)
  const seconds = numberOf('seconds', values.seconds ?? String(chosen.seconds), mostSeconds)
  let hub = await hubOf(chosen)
  const crew = new Crew(chosen.workers)
  // A run that is interrupted leaves nothing behind either: the children end when their parent is gone.
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  process.once('disconnect', () => process.exit(143))
  // To listen for that is no reason to stay.
  process.channel?.unref()
  const startAgain = async () => (hub = await HubProcess.start(chosen.limits, hub.port))
  const startedAt = performance.now()
  try {
    const rows = await chosen.run({ hub, crew, peers, seconds, startAgain })
    const took = row('the run took', `${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
    printRows(`${title}: ${peers} peers, ${seconds} s, hub ${hub.url}`, [...rows, took])
    process.send?.({ rows })
    return rows.every(({ holds }) => holds !== false)
  } finally {
    await crew.end()
    await hub.end('SIGKILL')
  }
}

/** A load is an attack on whoever did not ask for it. */
async function hubOf(chosen: Scenario): Promise<HubProcess> {
  const { url } = values
  if (url === undefined) return await HubProcess.start(chosen.limits)
  if (chosen.needsOwnHub) throw new Error('this scenario kills or measures its hub: run it without --url')
  if (!isLoopbackHost(new URL(url).hostname) && !values['i-own-this-hub']) {
    throw new Error(`${url} is not of this machine: --i-own-this-hub says that you may load it`)
  }
  return HubProcess.elsewhere(url)
}

function numberOf(what: string, text: string, most: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number > most) throw new Error(`--${what} is a whole number up to ${most}`)
  return number
}

function printUsage(): void {
  console.log('npm run bench:hub -- SCENARIO [--peers N] [--seconds N] [--url ws://… [--i-own-this-hub]]\n')
  for (const [each, { about, peers, seconds }] of Object.entries(scenarios)) {
    console.log(`  ${each.padEnd(15)}${about} (${peers} peers, ${seconds} s)`)
  }
}
