import type { StatusAnswer } from '../status-data.ts'

/** What the hub answered, undefined when it is nothing that this page knows: the hub was replaced by a later one. */
export function decodeAnswer(value: unknown): StatusAnswer | undefined {
  return isAnswer(value) ? value : undefined
}

function isAnswer(value: unknown): value is StatusAnswer {
  if (!isRecord(value)) return false
  const { run, version, upSeconds, ready, degraded, turn, limits, last, keptSamples, columns } = value
  return (
    [run, version].every((text) => typeof text === 'string') &&
    [upSeconds, last, keptSamples].every((number) => typeof number === 'number') &&
    [ready, turn].every((flag) => typeof flag === 'boolean') &&
    Array.isArray(degraded) &&
    isRecord(limits) &&
    isRecord(columns) &&
    areColumns(Object.values(columns))
  )
}

function areColumns(columns: readonly unknown[]): boolean {
  const [first] = columns
  return (
    Array.isArray(first) &&
    columns.every(
      (column) =>
        Array.isArray(column) &&
        column.length === first.length &&
        column.every((number) => number === null || typeof number === 'number'),
    )
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
