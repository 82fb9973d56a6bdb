import type { History, Values } from './history.ts'

export interface Line {
  readonly label: string
  readonly values: (history: History) => Values
}

export interface ChartSpec {
  /** What it shows, with the unit, for who does not see it. */
  readonly title: string
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  /** Of the scale, 1 for what is counted in ones: there are no halves then. @default 0 */
  readonly leastStep?: number | undefined
  /** What a row of the table says of the samples in it. */
  readonly summary: 'last' | 'mean' | 'worst'
}
