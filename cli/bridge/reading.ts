import { parseKeyText } from '../../core/address.ts'
import { CliError } from '../failures.ts'
import type { Bytes } from '../../core/types.ts'

/** A value of a JSON file that knows its place, so that what is wrong with it can be found. */
export class Reading {
  readonly value: unknown
  readonly #place: string
  readonly #file: string

  constructor(value: unknown, place: string, file: string) {
    this.value = value
    this.#place = place
    this.#file = file
  }

  error(problem: string, remedy: string): CliError {
    const where = this.#place === '' ? this.#file : `${this.#file}: ${this.#place}`
    return new CliError('usage', `${where} ${problem}`, `In ${this.#file}, ${remedy}.`)
  }

  /** As an object that has no other fields than `names`. */
  fields(names: readonly string[]): Fields {
    const { value } = this
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error('is no object', `write { … } with ${names.join(', ')}`)
    }
    const unknown = Object.keys(value).find((name) => !names.includes(name))
    if (unknown !== undefined) {
      throw this.error(
        `has ${JSON.stringify(unknown)}, which means nothing`,
        `there is only ${names.join(', ')}`,
      )
    }
    return new Fields(this, value as Record<string, unknown>)
  }

  /** The value under a name, or at an index, of this one. */
  child(name: string | number, value: unknown): Reading {
    const step = typeof name === 'number' ? `[${name}]` : this.#place === '' ? name : `.${name}`
    return new Reading(value, `${this.#place}${step}`, this.#file)
  }

  items(expected: string): Reading[] {
    if (!Array.isArray(this.value)) throw this.unexpected(expected)
    return this.value.map((item: unknown, index) => this.child(index, item))
  }

  text(expected: string): string {
    return this.check((text) => text !== '', expected)
  }

  check(isRight: (text: string) => boolean, expected: string): string {
    if (typeof this.value !== 'string' || !isRight(this.value)) throw this.unexpected(expected)
    return this.value
  }

  key(): Bytes {
    const key = typeof this.value === 'string' ? parseKeyText(this.value) : null
    if (key === null)
      throw this.unexpected('a public key, 44 characters of base64, as `multiserver keygen` prints it')
    return key
  }

  wholeNumber(least: number, most: number): number {
    const { value } = this
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw this.unexpected(`a whole number from ${least} to ${most}`)
    }
    return value
  }

  /** What is here is not what is `expected`. */
  unexpected(expected: string): CliError {
    const shown = JSON.stringify(this.value)
    return this.error(`is ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}`, `it must be ${expected}`)
  }
}

/** The fields of an object. */
export class Fields {
  readonly #reading: Reading
  readonly #values: Readonly<Record<string, unknown>>

  constructor(reading: Reading, values: Readonly<Record<string, unknown>>) {
    this.#reading = reading
    this.#values = values
  }

  optional(name: string): Reading | undefined {
    return Object.hasOwn(this.#values, name) ? this.#reading.child(name, this.#values[name]) : undefined
  }

  required(name: string): Reading {
    const reading = this.optional(name)
    if (reading === undefined) throw this.#reading.error(`has no ${name}`, `add ${JSON.stringify(name)}`)
    return reading
  }

  /** The items of a list, none without it. */
  list(name: string): Reading[] {
    return this.optional(name)?.items('a list') ?? []
  }

  error(problem: string, remedy: string): CliError {
    return this.#reading.error(problem, remedy)
  }
}

/** @throws CliError for what is no JSON */
export function readJson(text: string, file: string): Reading {
  try {
    return new Reading(JSON.parse(text), '', file)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new CliError(
      'usage',
      `${file} is no JSON: ${why}`,
      'Look for a comma too many or a quote too few there.',
      thrown,
    )
  }
}
