import type { ChartSpec } from './chart-spec.ts'
import { html } from './dom.ts'
import { formatTime } from './format.ts'
import type { History } from './history.ts'

const rowSeconds = 30
/** Whoever reads a table does not want it to change under the eyes, or the voice. */
const refreshMs = 10_000

const summaries = {
  last: { words: 'as they were at the end of each', of: (values: number[]) => values.at(-1) },
  mean: {
    words: 'the mean of each',
    of: (values: number[]) =>
      values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length,
  },
  worst: {
    words: 'the highest of each',
    of: (values: number[]) => (values.length === 0 ? undefined : Math.max(...values)),
  },
}

/** The numbers of a chart, to be opened: made while it is open, and every ten seconds. */
export class ChartTable {
  readonly details: HTMLDetailsElement
  readonly #spec: ChartSpec
  readonly #place: HTMLElement
  #history: History | undefined
  #shownAtMs = -Infinity

  constructor(spec: ChartSpec) {
    this.#spec = spec
    this.#place = html('div', {
      class: 'table',
      tabindex: 0,
      role: 'region',
      'aria-label': `${spec.title}, table`,
    })
    this.details = html(
      'details',
      {},
      html('summary', {}, 'As a table', html('span', { class: 'hidden' }, `: ${spec.title}`)),
      this.#place,
    )
    this.details.addEventListener('toggle', () => {
      this.#shownAtMs = -Infinity
      this.#refresh()
    })
  }

  show(history: History): void {
    this.#history = history
    this.#refresh()
  }

  #refresh(): void {
    const nowMs = Date.now()
    if (!this.details.open || this.#history === undefined || nowMs < this.#shownAtMs + refreshMs) return
    this.#shownAtMs = nowMs
    this.#place.replaceChildren(makeTable(this.#spec, this.#history, nowMs))
  }
}

function makeTable(
  { title, lines, format, summary }: ChartSpec,
  history: History,
  nowMs: number,
): HTMLElement {
  const { words, of } = summaries[summary]
  const columns = lines.map(({ values }) => values(history))
  const rows = rowsOf(history.secondsAgo()).map(({ startsAgo, indices }) => {
    const cells = columns.map((column) => {
      const value = of(indices.map((index) => column[index] ?? null).filter((each) => each !== null))
      return html('td', {}, value === undefined ? '–' : format(value))
    })
    return html('tr', {}, html('th', { scope: 'row' }, formatTime(nowMs - startsAgo * 1000)), ...cells)
  })
  const heads = ['From', ...lines.map(({ label }) => label)].map((label) =>
    html('th', { scope: 'col' }, label),
  )
  return html(
    'table',
    {},
    html('caption', {}, `${title}, in steps of ${rowSeconds} seconds, ${words}; the latest first`),
    html('thead', {}, html('tr', {}, ...heads)),
    html('tbody', {}, ...rows),
  )
}

/** The samples of each half minute, the latest first. */
function rowsOf(ages: readonly number[]): { startsAgo: number; indices: number[] }[] {
  const rows = new Map<number, number[]>()
  for (const [index, age] of [...ages.entries()].toReversed()) {
    const row = Math.floor(age / rowSeconds)
    rows.set(row, [index, ...(rows.get(row) ?? [])])
  }
  return [...rows].map(([row, indices]) => ({ startsAgo: (row + 1) * rowSeconds, indices }))
}
