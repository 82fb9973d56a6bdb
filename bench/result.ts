import { median } from './hub/figures.ts'
import { figuresOf, type Goal, type Table } from './table.ts'

/** A row that can't be measured is not tried for ever. */
const mostFailures = 2
/** Of an error's text, in a cell. */
const reasonLength = 100

/** A goal beside what was seen. */
export interface Verdict {
  /** At the middle, the lowest and the highest of the rounds. */
  readonly ratio: string
  readonly goal: string
  /** undefined: one of the two rows has failed. */
  readonly isReached: boolean | undefined
}

/** The figures of a table, round by round. */
export class Result {
  readonly table: Table
  readonly #rounds = new Map<string, (number[] | undefined)[]>()
  readonly #failures = new Map<string, string[]>()

  constructor(table: Table) {
    this.table = table
    for (const name of table.rows) this.#rounds.set(name, [])
  }

  add(name: string, figures: number[]): void {
    this.#rounds.get(name)?.push(figures)
  }

  /** The row has nothing of this round. */
  fail(name: string, error: unknown): void {
    this.#rounds.get(name)?.push(undefined)
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    this.#failures.set(name, [...(this.#failures.get(name) ?? []), why.slice(0, reasonLength)])
  }

  isGivenUp(name: string): boolean {
    return (this.#failures.get(name)?.length ?? 0) >= mostFailures
  }

  get hasFailures(): boolean {
    return this.#failures.size > 0
  }

  get heads(): string[] {
    const better = isLessBetter(this.table) ? 'less' : 'more'
    return ['', ...this.#units, 'lowest to highest', `ours over it, ${better} is better`, 'goal']
  }

  /** Cells of a row: its name, each figure, lowest and highest of the first, and ours over it. */
  cells(name: string): string[] {
    const rounds = this.#roundsOf(name)
    const first = rounds.map((figures) => figures[0] ?? NaN)
    const medians = this.#units.map((_, index) => median(rounds.map((figures) => figures[index] ?? NaN)))
    const ratio = name === this.table.rows[0] ? '' : short(median(this.#ratios(name)))
    const verdict = this.verdictOver(name)
    return [
      name === this.table.control ? `${name} (control)` : name,
      ...medians.map(short),
      rangeOf(first),
      ratio,
      [verdict === undefined ? '' : `${verdict.goal}: ${wordOf(verdict)}`, this.#failureOf(name)]
        .filter((text) => text !== '')
        .join('; '),
    ]
  }

  verdictOver(name: string): Verdict | undefined {
    const goal = this.table.goals?.find(({ over }) => over === name)
    if (goal === undefined) return undefined
    const ratios = this.#ratios(name)
    const seen = median(ratios)
    return {
      ratio: Number.isNaN(seen) ? '-' : `${short(seen)} (${rangeOf(ratios)})`,
      goal: goalWords(goal),
      isReached: Number.isNaN(seen) ? undefined : isReached(goal, seen),
    }
  }

  get #units(): readonly string[] {
    return this.table.figures ?? figuresOf[this.table.role]
  }

  #roundsOf(name: string): number[][] {
    return (this.#rounds.get(name) ?? []).filter((figures) => figures !== undefined)
  }

  /** Of the first figure, pair by pair: what disturbs a round disturbs both. */
  #ratios(name: string): number[] {
    const ours = this.#rounds.get(this.table.rows[0]) ?? []
    const theirs = this.#rounds.get(name) ?? []
    return ours
      .map((figures, round) => (figures?.[0] ?? NaN) / (theirs[round]?.[0] ?? NaN))
      .filter((ratio) => !Number.isNaN(ratio))
  }

  #failureOf(name: string): string {
    const failures = this.#failures.get(name) ?? []
    const rounds = this.#rounds.get(name)?.length ?? 0
    if (failures.length === 0) return ''
    return failures.length === rounds
      ? `failed: ${failures[0]}`
      : `failed in ${failures.length} of ${rounds} rounds: ${failures[0]}`
  }
}

export function wordOf({ isReached: reached }: Verdict): string {
  if (reached === undefined) return 'not measured'
  return reached ? 'reached' : 'missed'
}

function isLessBetter({ role }: Table): boolean {
  return role !== 'send' && role !== 'handshakes'
}

function isReached({ atLeast = -Infinity, atMost = Infinity }: Goal, ratio: number): boolean {
  return ratio >= atLeast && ratio <= atMost
}

function goalWords({ atLeast, atMost }: Goal): string {
  return atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
}

function rangeOf(figures: readonly number[]): string {
  return figures.length === 0 ? '' : `${short(Math.min(...figures))} to ${short(Math.max(...figures))}`
}

/** Three digits say all that a figure like these knows. */
function short(figure: number): string {
  if (Number.isNaN(figure)) return '-'
  return Math.abs(figure) >= 100 ? figure.toFixed(0) : figure.toPrecision(3)
}
