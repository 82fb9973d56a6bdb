import type { StatusAnswer, StatusColumn } from '../status-data.ts'

export type Values = readonly (number | null)[]

/** So many samples of two seconds are taken together for a rate: a few events a second are no lawn of spikes then. */
const calmSamples = 5

/** The last minutes, sample by sample, as far as the hub keeps them. */
export class History {
  #run = ''
  readonly #runsBefore = new Set<string>()
  #columns: Partial<Record<StatusColumn, (number | null)[]>> = {}
  #isMixed = false

  /** Whether answers come from several hubs by turns, so that no line means anything. */
  get isMixed(): boolean {
    return this.#isMixed
  }

  get length(): number {
    return this.column('lastedMs').length
  }

  take({ run, columns, keptSamples }: StatusAnswer): void {
    if (run !== this.#run) {
      this.#isMixed = this.#runsBefore.has(run)
      this.#runsBefore.add(run)
      this.#run = run
      this.#columns = {}
    }
    const known: [string, Values][] = Object.entries(columns)
    this.#columns = Object.fromEntries(
      known.map(([name, newer]) => [
        name,
        [...this.column(name as StatusColumn), ...newer].slice(-keptSamples),
      ]),
    )
  }

  /** Oldest first. */
  column(name: StatusColumn): Values {
    return this.#columns[name] ?? []
  }

  latest(name: StatusColumn): number | null {
    return this.column(name).at(-1) ?? null
  }

  /** For each sample, how long ago it was taken when the last one was. */
  secondsAgo(): number[] {
    let secondsAgo = 0
    const lasted = this.column('lastedMs').map((lastedMs) => (lastedMs ?? 0) / 1000)
    return lasted
      .toReversed()
      .map((seconds) => (secondsAgo += seconds) - seconds)
      .toReversed()
  }

  /** For each sample, how often a second what these columns count happened, together, in the ten seconds before. */
  perSecond(...names: StatusColumn[]): number[] {
    const columns = names.map((name) => this.column(name))
    const lasted = this.column('lastedMs')
    return lasted.map((_lastedMs, index) => {
      const sumOf = (column: Values) => sum(column.slice(Math.max(0, index + 1 - calmSamples), index + 1))
      return rateOf(sum(columns.map(sumOf)), sumOf(lasted))
    })
  }

  /** How often it happened in the last `seconds`, or as long as the history is. */
  total(seconds: number, ...names: StatusColumn[]): number {
    const since = this.#since(seconds)
    return sum(names.flatMap((name) => this.column(name).slice(since)))
  }

  /** The same, each second. */
  rate(seconds: number, ...names: StatusColumn[]): number {
    return rateOf(this.total(seconds, ...names), this.total(seconds, 'lastedMs'))
  }

  /** The values of the last `seconds` that are there. */
  recent(seconds: number, name: StatusColumn): number[] {
    const values = this.column(name).slice(this.#since(seconds))
    return values.filter((value) => value !== null)
  }

  #since(seconds: number): number {
    const first = this.secondsAgo().findIndex((secondsAgo) => secondsAgo < seconds)
    return first === -1 ? this.length : first
  }
}

function sum(values: Values): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0)
}

/** To the hundredth: once in ten seconds is 0.1, although samples are some milliseconds late. */
function rateOf(count: number, lastedMs: number): number {
  return Math.round((count * 100_000) / Math.max(1, lastedMs)) / 100
}
