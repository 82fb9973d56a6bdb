import type { Role } from './roles.ts'

/** Rows that are measured in turn, round after round, so that what disturbs one round disturbs them alike. */
export interface Table {
  readonly title: string
  readonly role: Role
  /** Megabytes to send, messages to echo, or connections to make. */
  readonly amount: number
  /** Bytes that are written at a time. @default 65,536 */
  readonly chunkBytes?: number
  /** Names of entrants. The first is ours, and its figure is divided by that of each other one, round by round. */
  readonly rows: readonly [string, ...string[]]
  /** The row without us: what the machine does by itself. */
  readonly control: string
  readonly goals?: readonly Goal[]
  /** Where one takes long and differs little from the next. @default as many as are asked for */
  readonly mostRounds?: number
  /** What is told of it. @default `figuresOf` its role */
  readonly figures?: readonly string[]
  /** What a reader has to know of the rows. */
  readonly note?: string
}

/** What the quotient over another row is to be: at least so much, or at most where less is better. */
export interface Goal {
  readonly over: string
  readonly atLeast?: number
  readonly atMost?: number
}

/** What is told of each role: the first figure is compared. */
export const figuresOf: Record<Role, readonly string[]> = {
  send: ['MB/s', 'CPU s/GiB'],
  echo: ['p50 µs', 'p99 µs'],
  handshakes: ['a second', 'CPU ms each'],
  dial: ['p50 ms', 'p99 ms'],
  hold: ['KiB each', 'KiB each of the first 1,000'],
  'hold busy': ['KiB each', 'KiB each of the first quarter'],
}

export const KiB = 1024
/** Bytes of a small message. */
export const small = 64
