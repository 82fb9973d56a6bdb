import fc from 'fast-check'
import { expect, it } from 'vitest'
import { joinSections, splitAlternatives, splitSections } from '../../compat/sections.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
// What an address can hold at all: characters of one line.
const argument = fc.string({
  unit: fc.constantFrom('a', 'B', '9', '!', ':', ';', '~', ' ', '/', '@', '[', ']', 'é', '😀'),
  maxLength: 20,
})
const section = fc.tuple(name, fc.array(argument, { maxLength: 3 })).map((parts) => parts.flat().join(':'))
const alternative = fc.array(section, { minLength: 1, maxLength: 8 })

it('sections come out of an address as they went in', () => {
  fc.assert(
    fc.property(alternative, (sections) => {
      expect(splitSections(joinSections(sections))).toEqual(sections)
    }),
    { numRuns: 20_000 },
  )
})

it('alternatives come out of an address as they went in', () => {
  fc.assert(
    fc.property(fc.array(alternative, { minLength: 1, maxLength: 5 }), (alternatives) => {
      const texts = alternatives.map(joinSections)
      expect(splitAlternatives(texts.join(';'))).toEqual(texts)
    }),
    { numRuns: 20_000 },
  )
})

it('any text is an alternative or null, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const part of splitAlternatives(text)) expect(() => splitSections(part)).not.toThrow()
    }),
    { numRuns: 20_000 },
  )
})
