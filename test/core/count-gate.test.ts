import { describe, expect, it } from 'vitest'
import { CountGate } from '../../core/count-gate.ts'

const most = 9
const mostPerSource = 3

describe('CountGate', () => {
  it.each([
    [mostPerSource - 1, true],
    [mostPerSource, true],
    [mostPerSource + 1, false],
  ])('answers to number %i from one source: %s', (number, answer) => {
    const gate = new CountGate(most, mostPerSource)
    for (let before = 1; before < number; before++) gate.enter('192.0.2.1')
    expect(gate.enter('192.0.2.1')).toBe(answer)
    expect(gate.enter('192.0.2.2')).toBe(true)
  })

  it.each([
    [most - 1, true],
    [most, true],
    [most + 1, false],
  ])('answers to number %i of all sources: %s', (number, answer) => {
    const gate = new CountGate(most, mostPerSource)
    for (let before = 1; before < number; before++) gate.enter(`source ${before}`)
    expect(gate.enter('one more')).toBe(answer)
    expect(gate.enter(undefined)).toBe(number < most)
  })

  it('counts those without a source only in all', () => {
    const gate = new CountGate(most, mostPerSource)
    for (let count = 0; count < most; count++) expect(gate.enter(undefined)).toBe(true)
    expect(gate.enter(undefined)).toBe(false)
  })

  it('lets one more in for each that leaves', () => {
    const gate = new CountGate(most, mostPerSource)
    for (let count = 0; count < mostPerSource; count++) gate.enter('a')
    for (let round = 0; round < 3; round++) {
      expect(gate.enter('a')).toBe(false)
      gate.leave('a')
      expect(gate.enter('a')).toBe(true)
    }
  })

  it('does not count a refused one', () => {
    const gate = new CountGate(most, mostPerSource)
    for (let count = 0; count < most + 10; count++) gate.enter('a')
    for (let count = 0; count < mostPerSource; count++) gate.leave('a')
    for (let count = 0; count < most; count++) expect(gate.enter(undefined)).toBe(true)
    expect(gate.enter(undefined)).toBe(false)
  })
})
