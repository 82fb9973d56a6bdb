import type { ChartSpec } from './chart-spec.ts'
import { ChartTable } from './chart-table.ts'
import { html, setText, svg } from './dom.ts'
import { formatDuration } from './format.ts'
import type { History, Values } from './history.ts'
import { type Scale, scaleTo } from './scale.ts'

const height = 150
const margin = { top: 8, right: 8, bottom: 22, left: 60 }
/** The whole width: what the hub keeps. */
const spanSeconds = 600

/**
 * A chart of the last ten minutes with its legend, and the same as a table. It is SVG by hand, a tenth of what a
 * library for charts would load: colours come from the style sheet, and it grows with the text of the page.
 */
export class Chart {
  readonly #spec: ChartSpec
  readonly #canvas = svg('svg', { role: 'img', height, class: 'plot' })
  readonly #when = html('span', { class: 'when' })
  readonly #figures: HTMLElement[]
  readonly #table: ChartTable
  #history: History | undefined
  /** The sample that the pointer is at. */
  #pointed: number | undefined

  constructor(host: HTMLElement, spec: ChartSpec) {
    this.#spec = spec
    this.#figures = spec.lines.map(() => html('b'))
    this.#table = new ChartTable(spec)
    host.append(this.#canvas, this.#legend(), this.#table.details)
    this.#canvas.addEventListener('pointermove', (event) => this.#point(event.offsetX))
    this.#canvas.addEventListener('pointerleave', () => this.#point(undefined))
    new ResizeObserver(() => this.#draw()).observe(host)
  }

  show(history: History): void {
    this.#history = history
    this.#draw()
    this.#table.show(history)
  }

  #legend(): HTMLElement {
    const entries = this.#spec.lines.map(({ label }, index) => {
      const swatch = svg(
        'svg',
        { class: 'swatch', width: 22, height: 10, 'aria-hidden': 'true' },
        svg('path', { class: `line line-${index + 1}`, d: 'M0 5H22' }),
      )
      return html('li', {}, swatch, ` ${label} `, this.#figures[index] ?? '')
    })
    return html('div', { class: 'legend' }, html('ul', {}, ...entries), this.#when)
  }

  #point(x: number | undefined): void {
    const ages = this.#history?.secondsAgo() ?? []
    const age = x === undefined ? undefined : this.#ageAt(x)
    const gaps = age === undefined ? [] : ages.map((each) => Math.abs(each - age))
    this.#pointed = gaps.length === 0 ? undefined : gaps.indexOf(Math.min(...gaps))
    this.#draw()
  }

  #draw(): void {
    const width = this.#canvas.clientWidth
    if (this.#history === undefined || width === 0) return
    const { lines: specs, format } = this.#spec
    const history = this.#history
    const lines = specs.map(({ label, values }) => ({ label, values: values(history) }))
    const ages = history.secondsAgo()
    const highest = Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => value !== null)))
    const scale = scaleTo(highest, format, this.#spec.leastStep)
    this.#canvas.setAttribute('viewBox', `0 0 ${width} ${height}`)
    this.#canvas.replaceChildren(
      ...this.#grid(width, scale),
      ...lines.map(({ values }, index) =>
        svg('path', { class: `line line-${index + 1}`, d: this.#path(values, ages, scale) }),
      ),
      ...this.#cursor(ages),
    )
    this.#canvas.setAttribute('aria-label', describe(this.#spec, lines))
    this.#showFigures(lines, ages)
  }

  #grid(width: number, scale: Scale): Node[] {
    const steps = scale.ticks.flatMap(({ value, label }) => {
      const y = yOf(value, scale)
      return [
        svg('path', { class: 'grid', d: `M${margin.left} ${y}H${width - margin.right}` }),
        svg('text', { class: 'tick', x: margin.left - 8, y: y + 4, 'text-anchor': 'end' }, label),
      ]
    })
    const times = [
      { age: spanSeconds, label: '10 min ago', anchor: 'start' },
      { age: spanSeconds / 2, label: '5 min', anchor: 'middle' },
      { age: 0, label: 'now', anchor: 'end' },
    ].map(({ age, label, anchor }) =>
      svg('text', { class: 'tick', x: this.#xOf(age), y: height - 4, 'text-anchor': anchor }, label),
    )
    return [...steps, ...times]
  }

  /** Breaks where there is no value; one value alone is a dot. */
  #path(values: Values, ages: readonly number[], scale: Scale): string {
    let isDown = false
    const steps = values.map((value, index) => {
      if (value === null) {
        isDown = false
        return ''
      }
      const point = `${this.#xOf(ages[index] ?? 0).toFixed(1)} ${yOf(value, scale).toFixed(1)}`
      const step = isDown ? `L${point}` : `M${point}h.01`
      isDown = true
      return step
    })
    return steps.join('')
  }

  #cursor(ages: readonly number[]): Node[] {
    const age = this.#pointed === undefined ? undefined : ages[this.#pointed]
    if (age === undefined) return []
    return [svg('path', { class: 'cursor', d: `M${this.#xOf(age)} ${margin.top}V${height - margin.bottom}` })]
  }

  #showFigures(lines: readonly DrawnLine[], ages: readonly number[]): void {
    const at = this.#pointed ?? ages.length - 1
    const age = ages[at] ?? 0
    setText(this.#when, age < 1 ? '' : `${formatDuration(age)} ago`)
    for (const [index, { values }] of lines.entries()) {
      const value = values[at] ?? null
      const figure = this.#figures[index]
      if (figure !== undefined) setText(figure, value === null ? '–' : this.#spec.format(value))
    }
  }

  #xOf(age: number): number {
    return margin.left + this.#plotWidth * (1 - age / spanSeconds)
  }

  #ageAt(x: number): number {
    return spanSeconds * (1 - (x - margin.left) / this.#plotWidth)
  }

  get #plotWidth(): number {
    return this.#canvas.clientWidth - margin.left - margin.right
  }
}

interface DrawnLine {
  readonly label: string
  readonly values: Values
}

function yOf(value: number, { top }: Scale): number {
  return margin.top + (height - margin.top - margin.bottom) * (1 - value / top)
}

function describe({ title, format }: ChartSpec, lines: readonly DrawnLine[]): string {
  const parts = lines.map(({ label, values }) => {
    const known = values.filter((value) => value !== null)
    if (known.length === 0) return `${label}: no figures`
    const now = values.at(-1) ?? null
    const range = `from ${format(Math.min(...known))} to ${format(Math.max(...known))}`
    return `${label}: ${range}, now ${now === null ? 'none' : format(now)}`
  })
  return `${title}, the last ten minutes. ${parts.join('; ')}.`
}
