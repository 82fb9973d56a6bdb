import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress, formatSection, parseAddress, parseKeyText, parseSection } from '../../core/address.ts'
import { toBase64, toBase64Url } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Alternative, Section } from '../../core/address.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/)
/** Mostly what matters to the grammar, and anything that can be printed. */
const argument = fc
  .string({
    unit: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('!', ':', ';', '~', 'a', '/', '[', ']', '%') },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }) },
    ),
    maxLength: 12,
  })
  .map((text) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '_'))
const section: fc.Arbitrary<Section> = fc.record(
  { name, data: fc.array(argument, { maxLength: 4 }) },
  { noNullPrototype: true },
)
const alternative: fc.Arbitrary<Alternative> = fc
  .tuple(section, fc.array(section, { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest])
/** Text that is made of the grammar's own pieces, so that it often nearly is an address. */
const nearlyAddress = fc
  .array(fc.constantFrom('net', 'a', 'ws', '1', ':', ';', '~', '!', '//', '\u0000', 'é', 'A', '-', ' '), {
    maxLength: 24,
  })
  .map((pieces) => pieces.join(''))

// Together at least 100,000 cases; fast-check prints the seed of one that fails.
describe('the grammar of addresses', () => {
  it('gives back what was formatted', () => {
    check(fc.array(alternative, { minLength: 1, maxLength: 4 }), 25_000, (alternatives) => {
      expect(parseAddress(formatAddress(alternatives))).toEqual(alternatives)
    })
  })

  it('gives back a single section', () => {
    check(section, 25_000, (one) => {
      expect(parseSection(formatSection(one))).toEqual(one)
    })
  })

  it('reads any text to what it formats again, or throws ADDRESS_INVALID and nothing else', () => {
    check(fc.oneof(nearlyAddress, fc.string({ unit: 'binary' })), 50_000, (text) => {
      const parsed = tryParse(text)
      if (parsed === null) return
      const formatted = formatAddress(parsed)
      expect(parseAddress(formatted)).toEqual(parsed)
      // Formatted once, the text is canonical.
      expect(formatAddress(parseAddress(formatted))).toBe(formatted)
    })
  })

  it('reads every key in every writing', () => {
    check(fc.uint8Array({ minLength: 0, maxLength: 40 }), 10_000, (bytes) => {
      const expected = bytes.length === 32 ? bytes : null
      for (const text of [toBase64(bytes), toBase64Url(bytes), `@${toBase64(bytes)}.ed25519`]) {
        const key = parseKeyText(text)
        expect(key === null ? null : [...key]).toEqual(expected === null ? null : [...expected])
      }
    })
  })
})

function check<T>(arbitrary: fc.Arbitrary<T>, numRuns: number, run: (value: T) => void): void {
  fc.assert(
    fc.property(arbitrary, (value) => run(value)),
    { numRuns },
  )
}

function tryParse(text: string): Alternative[] | null {
  try {
    return parseAddress(text)
  } catch (error) {
    if (error instanceof MultiserverError && error.code === 'ADDRESS_INVALID') return null
    throw error
  }
}
