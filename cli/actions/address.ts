import { ready } from '../../core/ed25519.ts'
import { explainAddress, type Explanation, type Problem } from '../address/explain.ts'
import { exitCodes } from '../failures.ts'
import { hang, paint, print, printable, printJson } from '../terminal.ts'

/** Its exit code says whether it is one. */
export async function explain(address: string, { json = false }: { json?: boolean }): Promise<void> {
  await ready()
  const explanation = explainAddress(address)
  if (json) printJson(explanation)
  else show(address, explanation)
  if (explanation.problems.length > 0) process.exitCode = exitCodes.usage
}

function show(address: string, { alternatives, problems, notes }: Explanation): void {
  for (const { sections, text } of alternatives) {
    print(paint('bold', printable(text), process.stdout))
    const columns = Math.max(...sections.map((section) => section.title.length))
    for (const { title, words } of sections) {
      print(hang(`  ${title.padEnd(columns)}  `, columns + 4, words, process.stdout))
    }
  }
  for (const note of notes) print(`${paint('cyan', '→', process.stdout)} ${note}`)
  for (const problem of problems) showProblem(address, problem)
  if (problems.length === 0) print(`${paint('green', '✓', process.stdout)} it is an address`)
}

/** The place is pointed at, in as much of the address as a line holds. */
function showProblem(address: string, { words, at, length }: Problem): void {
  print(`${paint('red', '✗', process.stdout)} ${printable(words)}`)
  if (at === undefined || length === undefined) return
  const start = Math.max(at - before, 0)
  const shown = printable(address.slice(start, at + shownAfter))
  print(`  ${shown}`)
  print(
    `  ${' '.repeat(at - start)}${paint('red', '^'.repeat(Math.max(Math.min(length, shownAfter), 1)), process.stdout)}`,
  )
}

/** Characters of the address that are shown before and after what is wrong begins. */
const before = 20
const shownAfter = 55
