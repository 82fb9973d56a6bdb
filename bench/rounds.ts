import { measure, thisMachine } from './measurement.ts'
import { Result } from './result.ts'
import type { Table } from './table.ts'

/** All rows in turn, round after round. A row that fails twice is given up; the others go on. */
export async function measureTable(table: Table, rounds: number, ground = thisMachine): Promise<Result> {
  const result = new Result(table)
  for (let round = 0; round < Math.min(rounds, table.mostRounds ?? rounds); round++) {
    for (const name of table.rows) {
      if (result.isGivenUp(name)) continue
      try {
        result.add(name, await measure(name, table, ground))
      } catch (error) {
        // What fails is a row of its own; the others are still worth something.
        result.fail(name, error)
      }
    }
  }
  return result
}
