import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../core/errors.ts'

const manual = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
const codes = Object.keys(errorCodes)

/** The rows of the table, by code. */
const rows = new Map(
  manual
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .flatMap(([, code = '', ...cells]) => {
      const name = /^`([A-Z_]+)`$/.exec(code)?.[1]
      return name === undefined ? [] : [[name, cells.slice(0, -1)] as const]
    }),
)

describe('docs/errors.md', () => {
  it('has a row for every code, in order, and for nothing else', () => {
    expect([...rows.keys()]).toEqual(codes)
  })

  it.each(Object.entries(errorCodes))(
    'says of %s what the code says, when it occurs and what to do',
    (code, sentence) => {
      const [meaning, when, remedy] = rows.get(code) ?? []
      expect(meaning).toBe(sentence)
      expect(when).not.toBe('')
      expect(remedy).toMatch(/\S/)
    },
  )

  it('names only codes that exist', () => {
    const named = [
      ...manual.matchAll(/`([A-Z]+(?:_[A-Z]+)+|ABORTED|BUSY|CLOSED|PROTOCOL|TIMEOUT|TRUNCATED)`/g),
    ]
    expect(named.map(([, code = '']) => code).filter((code) => !codes.includes(code))).toEqual([])
  })
})

describe('the tests', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('docs'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n')

  it.each(codes)('provoke %s', (code) => {
    expect([`'${code}'`, `"${code}"`].some((quoted) => tests.includes(quoted))).toBe(true)
  })
})
