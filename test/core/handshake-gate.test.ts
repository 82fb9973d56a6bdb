import { describe, expect, it } from 'vitest'
import { HandshakeGate } from '../../core/handshake-gate.ts'
import { limits } from '../../core/limits.ts'

const { inFlight, inFlightPerSource } = limits.handshake

describe('HandshakeGate', () => {
  it.each([
    [inFlightPerSource - 1, true],
    [inFlightPerSource, true],
    [inFlightPerSource + 1, false],
  ])('answers to handshake %i from one source: %s', (number, answer) => {
    const gate = new HandshakeGate()
    for (let before = 1; before < number; before++) gate.enter('192.0.2.1')
    expect(gate.enter('192.0.2.1')).toBe(answer)
    expect(gate.enter('192.0.2.2')).toBe(true)
  })

  it.each([
    [inFlight - 1, true],
    [inFlight, true],
    [inFlight + 1, false],
  ])('answers to handshake %i of all sources: %s', (number, answer) => {
    const gate = new HandshakeGate()
    for (let before = 1; before < number; before++) gate.enter(`source ${before}`)
    expect(gate.enter('one more')).toBe(answer)
    expect(gate.enter(undefined)).toBe(number < inFlight)
  })

  it('counts those without a source only in all', () => {
    const gate = new HandshakeGate()
    for (let count = 0; count < inFlight; count++) expect(gate.enter(undefined)).toBe(true)
    expect(gate.enter(undefined)).toBe(false)
  })

  it('lets one more in for each that leaves', () => {
    const gate = new HandshakeGate()
    for (let count = 0; count < inFlightPerSource; count++) gate.enter('a')
    for (let round = 0; round < 3; round++) {
      expect(gate.enter('a')).toBe(false)
      gate.leave('a')
      expect(gate.enter('a')).toBe(true)
    }
  })

  it('does not count a refused one', () => {
    const gate = new HandshakeGate()
    for (let count = 0; count < inFlight + 10; count++) gate.enter('a')
    for (let count = 0; count < inFlightPerSource; count++) gate.leave('a')
    for (let count = 0; count < inFlight; count++) expect(gate.enter(undefined)).toBe(true)
    expect(gate.enter(undefined)).toBe(false)
  })
})
