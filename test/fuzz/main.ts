import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startVitest, type Reporter, type TestCase } from 'vitest/node'
import type { Round } from './context.ts'

/**
 * `npm run fuzz -- --minutes 60 [--seed N]`: the property tests, round after round, each with the seed after the
 * last one's. The first finding ends it with exit code 1; `--minutes 0 --seed N` runs that round again. Findings are
 * kept as tests of their own.
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } },
})
const minutes = Number(values.minutes)
const firstSeed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
if (!(minutes >= 0) || !Number.isSafeInteger(firstSeed)) {
  throw new Error('--minutes takes a number of minutes, --seed a whole number')
}

/** Cases by the name of the test. */
const cases = new Map<string, number>()
const startedMs = performance.now()
let rounds = 0
let allHeld = true
do {
  allHeld = await runRound({ seed: firstSeed + rounds })
  rounds += 1
  console.log(`round ${rounds}, seed ${firstSeed + rounds - 1}: ${total()} cases, ${elapsed()} min`)
} while (allHeld && performance.now() - startedMs < minutes * 60_000)

for (const [name, ran] of cases) console.log(`${String(ran).padStart(12)}  ${name}`)
console.log(`${String(total()).padStart(12)}  cases in ${rounds} rounds, ${elapsed()} min`)
if (!allHeld) console.log(`a finding: npm run fuzz -- --minutes 0 --seed ${firstSeed + rounds - 1}`)
process.exitCode = allHeld ? 0 : 1

/** @returns whether everything held */
async function runRound(round: Round): Promise<boolean> {
  let held = true
  const reporter: Reporter = {
    onTestCaseResult(test) {
      count(test)
      for (const { message } of test.result().errors ?? []) {
        held = false
        console.log(`${test.module.relativeModuleId} > ${test.fullName}\n${message}`)
      }
    },
    onTestRunEnd(modules, errors) {
      for (const { message } of [...errors, ...modules.flatMap((module) => module.errors())]) {
        held = false
        console.log(message)
      }
    },
  }
  const vitest = await startVitest('test', [], {
    config: 'test/fuzz/vitest.config.ts',
    watch: false,
    provide: { round },
    reporters: [reporter],
  })
  await vitest.close()
  return held
}

function count(test: TestCase): void {
  const { cases: more = 0 } = test.meta()
  const name = `${test.module.relativeModuleId} > ${test.fullName}`
  if (more > 0) cases.set(name, (cases.get(name) ?? 0) + more)
}

function total(): number {
  return [...cases.values()].reduce((sum, ran) => sum + ran, 0)
}

function elapsed(): string {
  return ((performance.now() - startedMs) / 60_000).toFixed(1)
}
