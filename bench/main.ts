import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildPages } from './browser/pages.ts'
import { programs } from './entrants.ts'
import { printRows } from './hub/figures.ts'
import { hubLoads, load } from './hub-loads.ts'
import { printed, written, type HubResult } from './report.ts'
import type { Result } from './result.ts'
import { measureTable } from './rounds.ts'
import { tables } from './tables.ts'

/**
 * Figures that anyone can run: `npm run bench`, or `npm run bench -- shs2` for the tables whose title has the word.
 * A run of all tables writes `bench/RESULTS.md`.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' } },
})
const rounds = Number(values.rounds)
if (!(rounds >= 1 && rounds <= 100)) throw new Error('--rounds is a number from 1 to 100')
const isWanted = ({ title }: { title: string }) => positionals.every((word) => title.includes(word))
const wanted = tables.filter(isWanted)
const wantedLoads = hubLoads.filter(isWanted)
const isFull = wanted.length === tables.length && wantedLoads.length === hubLoads.length
const file = fileURLToPath(new URL('../../bench/RESULTS.md', import.meta.url))
const startedAt = new Date()
const startedMs = performance.now()
const results: Result[] = []
const hub: HubResult[] = []

// Whoever interrupts a run leaves nothing behind: the children end when their parent is gone.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

if (wanted.some(({ title }) => title.includes('Chromium'))) await buildPages(programs)
for (const table of wanted) {
  announce(table.title)
  const result = await measureTable(table, rounds)
  results.push(result)
  console.log(printed(result))
  keep()
}
for (const each of wantedLoads) {
  announce(each.title)
  const rows = await load(each)
  hub.push({ title: each.title, rows })
  printRows(each.title, rows)
  keep()
}

if (isFull) {
  // Its tables are padded as those of every other document here.
  spawnSync('npx', ['oxfmt', file])
  console.log('\nwritten to bench/RESULTS.md')
}
if (results.some(({ hasFailures }) => hasFailures)) process.exitCode = 1

/** What a full run has so far: one that is interrupted leaves what it had, and says how much that is. */
function keep(): void {
  if (!isFull) return
  const tookMs = performance.now() - startedMs
  const all = wanted.length + wantedLoads.length
  writeFileSync(file, written({ startedAt, tookMs, rounds, all, results, hub }))
}

/** What comes next, and how long it may still take if the rest is like what was. */
function announce(title: string): void {
  const all = wanted.length + wantedLoads.length
  const done = results.length + hub.length
  const gone = (performance.now() - startedMs) / 60_000
  const left = done === 0 ? '' : `, about ${((gone / done) * (all - done)).toFixed(0)} to go`
  console.log(`\n[${done + 1}/${all}, ${gone.toFixed(0)} min gone${left}] ${title} …`)
}
