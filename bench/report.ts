import type { Row } from './hub/figures.ts'
import { machine, versions } from './machine.ts'
import { wordOf, type Result } from './result.ts'

/** A load of the hub: what it is, and the rows that came of it, or why none did. */
export interface HubResult {
  readonly title: string
  readonly rows: readonly Row[]
}

export interface Run {
  readonly startedAt: Date
  readonly tookMs: number
  readonly rounds: number
  /** How many tables a whole run has. */
  readonly all: number
  readonly results: readonly Result[]
  readonly hub: readonly HubResult[]
}

/** A table for a terminal. */
export function printed(result: Result): string {
  const rows = [result.heads, ...result.table.rows.map((name) => result.cells(name))]
  const widths = result.heads.map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (isText(at, cells) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
  return rows.map((cells) => `  ${line(cells)}`.trimEnd()).join('\n')
}

/** `bench/RESULTS.md`. */
export function written(run: Run): string {
  return [
    intro(run),
    `## Goals\n\n${goalTable(run)}`,
    ...run.results.map((result) => `## ${result.table.title}\n\n${noteOf(result)}${resultTable(result)}`),
    ...run.hub.map(({ title, rows }) => `## ${title}\n\n${hubTable(rows)}`),
  ].join('\n')
}

function intro({ startedAt, tookMs, rounds, all, results, hub }: Run): string {
  const count = results.length + hub.length
  const facts = [
    ['date', `${startedAt.toISOString().slice(0, 10)}, in ${Math.ceil(tookMs / 60_000)} minutes`],
    ['rounds', `${rounds}`],
    ['tables', count === all ? `${all}` : `${count} of ${all}: the run was interrupted`],
    ...machine(),
    ['beside', versions()],
  ]
  return `# Figures

Written by \`npm run bench\`; how it is done and how to read it is in [README.md](README.md). Figures are medians of the rounds. "Ours
over it" is the first row over this one, the median of the quotients of each round; in brackets its lowest and highest.

${markdown(['', ''], facts)}`
}

function goalTable({ results, hub }: Run): string {
  const goals = results.flatMap((result) =>
    result.table.rows.flatMap((name) => {
      const verdict = result.verdictOver(name)
      if (verdict === undefined) return []
      const what = `${result.table.title}: ${result.table.rows[0]} over ${name}`
      return [[what, verdict.ratio, verdict.goal, wordOf(verdict)]]
    }),
  )
  const ofHub = hub.flatMap(({ title, rows }) =>
    rows.flatMap(({ what, seen, wanted, holds }) =>
      wanted === undefined
        ? []
        : [[`${title}: ${what}`, seen, wanted, holds === true ? 'reached' : 'missed']],
    ),
  )
  return markdown(['what', 'seen', 'goal', ''], [...goals, ...ofHub])
}

function noteOf({ table }: Result): string {
  const goal = table.goals === undefined ? ['No goal is set here.'] : []
  const text = [...(table.note === undefined ? [] : [table.note]), ...goal].join(' ')
  return text === '' ? '' : `${text}\n\n`
}

function resultTable(result: Result): string {
  return markdown(
    result.heads,
    result.table.rows.map((name) => result.cells(name)),
  )
}

function hubTable(rows: readonly Row[]): string {
  return markdown(
    ['', 'seen', 'goal'],
    rows.map(({ what, seen, wanted, holds }) => [
      what,
      seen,
      wanted === undefined ? '' : `${wanted}: ${holds === true ? 'reached' : 'missed'}`,
    ]),
  )
}

/** Figures stand to the right, the first and the last column are words. */
function markdown(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const rule = heads.map((_, at) => (isText(at, heads) ? '---' : '---:'))
  return `${[line(heads), line(rule), ...rows.map(line)].join('\n')}\n`
}

function isText(at: number, cells: readonly string[]): boolean {
  return at === 0 || at === cells.length - 1
}
