import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measure } from './measurement.ts'
import { machine, printed, Result, written } from './results.ts'
import { tables } from './tables.ts'

/**
 * Figures that anyone can run: `npm run bench`, or `npm run bench -- shs2` for the tables whose title has the word.
 * A run of all tables writes `bench/RESULTS.md`.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})
const rounds = Number(values.rounds)
if (!(rounds >= 1 && rounds <= 100)) throw new Error('--rounds is a number from 1 to 100')
const wanted = tables.filter(({ title }) => positionals.every((word) => title.includes(word)))
const startedAt = new Date()
const results: Result[] = []

// Whoever interrupts a run leaves nothing behind: the children end when their parent is gone.
process.once('SIGINT', () => process.exit(130))

for (const table of wanted) {
  const result = new Result(table)
  // The first round is for warming up.
  for (let round = 0; round <= rounds; round++) {
    for (const name of table.rows) {
      const figures = await measure(name, table)
      if (round > 0) result.add(name, figures)
    }
  }
  results.push(result)
  console.log(`\n${printed(result)}`)
}

if (wanted.length === tables.length) {
  const file = new URL('../../bench/RESULTS.md', import.meta.url)
  writeFileSync(file, written(results, { startedAt, rounds, machine: machine() }))
  console.log(`\nwritten to bench/RESULTS.md`)
}
