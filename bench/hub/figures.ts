/** What a list of measurements comes to; milliseconds, unless the row says otherwise. */
export interface Spread {
  count: number
  p50: number
  p99: number
  worst: number
}

export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), worst: sorted.at(-1) ?? NaN }
}

export function median(figures: readonly number[]): number {
  return spreadOf(figures).p50
}

/** How often each code was seen. */
export type Tally = Record<string, number>

export function count(tally: Tally, code: string | number): void {
  tally[code] = (tally[code] ?? 0) + 1
}

export function sumOf(tallies: readonly Tally[]): Tally {
  const sum: Tally = {}
  for (const tally of tallies)
    for (const [code, times] of Object.entries(tally)) sum[code] = (sum[code] ?? 0) + times
  return sum
}

/** One line of a result: what it is, what was seen, and what it must be where there is a bound. */
export interface Row {
  what: string
  seen: string
  wanted?: string | undefined
  holds?: boolean | undefined
}

export function row(what: string, seen: string | number, wanted?: string, holds?: boolean): Row {
  return { what, seen: typeof seen === 'number' ? formatted(seen) : seen, wanted, holds }
}

export function spreadRow(what: string, figures: readonly number[], boundMs?: number): Row {
  const { count: times, p50, p99, worst } = spreadOf(figures)
  const seen = `p50 ${formatted(p50)}  p99 ${formatted(p99)}  worst ${formatted(worst)} ms  (${times})`
  return boundMs === undefined
    ? { what, seen }
    : { what, seen, wanted: `p99 under ${boundMs} ms`, holds: p99 < boundMs }
}

export function tallyRow(what: string, tally: Tally): Row {
  const entries = Object.entries(tally).map(([code, times]) => `${code} ${times}`)
  return { what, seen: entries.length === 0 ? 'none' : entries.join(', ') }
}

export function printRows(title: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ what }) => what.length)) + 2
  console.log(`\n${title}`)
  for (const { what, seen, wanted, holds } of rows) {
    const verdict = wanted === undefined ? '' : `   ${holds === true ? 'ok' : 'MISSED'}: ${wanted}`
    console.log(`  ${what.padEnd(width)}${seen}${verdict}`)
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

/** The median of some rounds, with the lowest and the highest. */
export function ofRounds(figures: readonly number[], digits = 0): string {
  const say = (figure: number) =>
    figure.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${say(median(figures))} (${say(Math.min(...figures))} to ${say(Math.max(...figures))})`
}

function formatted(figure: number): string {
  if (Number.isInteger(figure)) return figure.toLocaleString('en')
  return figure.toLocaleString('en', { maximumFractionDigits: figure < 100 ? 2 : 0 })
}
