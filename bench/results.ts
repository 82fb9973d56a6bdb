import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { median } from './hub/figures.ts'
import { figuresOf, type Goal, type Table } from './tables.ts'

/** The figures of a table, round by round. */
export class Result {
  readonly table: Table
  readonly #figures = new Map<string, number[][]>()

  constructor(table: Table) {
    this.table = table
    for (const name of table.rows) this.#figures.set(name, [])
  }

  add(name: string, figures: number[]): void {
    this.#figures.get(name)?.push(figures)
  }

  /** Cells of a row: its name, each figure, lowest and highest of the first, and ours over it. */
  cells(name: string): string[] {
    const rounds = this.#figures.get(name) ?? []
    const first = rounds.map((figures) => figures[0] ?? NaN)
    const medians = this.#units.map((_, index) => median(rounds.map((figures) => figures[index] ?? NaN)))
    const spread = `${short(Math.min(...first))} to ${short(Math.max(...first))}`
    const ratio = name === this.table.rows[0] ? '' : this.#ratio(name).toFixed(2)
    return [name, ...medians.map(short), spread, ratio, this.#verdict(name)]
  }

  get heads(): string[] {
    return ['', ...this.#units, 'lowest to highest', 'ours over it', 'goal']
  }

  get #units(): readonly string[] {
    return figuresOf[this.table.role]
  }

  /** Of the first figure, pair by pair: what disturbs a round disturbs both. */
  #ratio(name: string): number {
    const ours = this.#figures.get(this.table.rows[0]) ?? []
    const theirs = this.#figures.get(name) ?? []
    return median(ours.map((figures, round) => (figures[0] ?? NaN) / (theirs[round]?.[0] ?? NaN)))
  }

  #verdict(name: string): string {
    const goal = this.table.goals?.find(({ over }) => over === name)
    if (goal === undefined) return ''
    return `${words(goal)}: ${isReached(goal, this.#ratio(name)) ? 'reached' : 'missed'}`
  }
}

/** For a terminal. */
export function printed(result: Result): string {
  const rows = [result.heads, ...result.table.rows.map((name) => result.cells(name))]
  const widths = result.heads.map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
  return [result.table.title, ...rows.map((cells) => `  ${line(cells)}`.trimEnd())].join('\n')
}

export interface Run {
  readonly startedAt: Date
  readonly rounds: number
  readonly machine: string
}

/** `bench/RESULTS.md`. */
export function written(results: readonly Result[], { startedAt, rounds, machine: where }: Run): string {
  const intro = `# Figures

Written by \`npm run bench\` on ${startedAt.toISOString().slice(0, 10)}; what they mean, and where they fall short and why, is in
[README.md](README.md). ${where}.

Every end is a process of its own. The rows of a table are measured in turn, ${rounds} rounds after one for warming up; figures
are medians, and a quotient is the median of the quotients of the rounds. Data go through the loopback interface.
`
  return `${intro}\n${results.map(markdown).join('\n')}`
}

/** What the figures were taken on, in a sentence without its full stop. */
export function machine(): string {
  const [processor] = cpus()
  const versions = ['sodium-native', 'ws', 'wrtc', 'multiserver-3.8.2'].map(
    (name) => `${name} ${versionOf(name)}`,
  )
  const rivals = ['libp2p', '@hyperswarm/secret-stream'].map((name) => `${name} ${versionOf(name, 'bench/')}`)
  return `${cpus().length} × ${processor?.model ?? 'a processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}; ${[...versions, ...rivals].join(', ')}`
}

function versionOf(name: string, folder = ''): string {
  const file = new URL(`../../${folder}node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function markdown(result: Result): string {
  const rows = [result.heads, ...result.table.rows.map((name) => result.cells(name))]
  const [heads = [], ...rest] = rows.map((cells) => `| ${cells.join(' | ')} |`)
  const rule = `|${result.heads.map((_, at) => (at === 0 ? ' --- |' : ' ---: |')).join('')}`
  return `## ${result.table.title}\n\n${[heads, rule, ...rest].join('\n')}\n`
}

function isReached({ atLeast = -Infinity, atMost = Infinity }: Goal, ratio: number): boolean {
  return ratio >= atLeast && ratio <= atMost
}

function words({ atLeast, atMost }: Goal): string {
  return atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
}

/** Three digits say all that a figure like these knows. */
function short(figure: number): string {
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3)
}
