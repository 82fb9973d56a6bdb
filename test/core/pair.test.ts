import { describe, expect, it } from 'vitest'
import { createPair } from '../../core/pair.ts'
import { streamCases } from '../conformance/stream-cases.ts'
import { runCases } from '../support/run-cases.ts'

runCases('a pair in memory', streamCases, {
  halfClose: true,
  backpressure: true,
  connect() {
    const [client, server] = createPair()
    return Promise.resolve({ client, server })
  },
})

describe('createPair', () => {
  it('gives each end what it is told about', () => {
    const [first, second] = createPair({ info: [{ address: 'a' }, { address: 'b', source: 'x' }] })
    expect([first.info, second.info]).toEqual([{ address: 'a' }, { address: 'b', source: 'x' }])
  })

  it('holds a writer at its mark', async () => {
    const [first, second] = createPair({ highWaterBytes: 5000 })
    await first.write(new Uint8Array(2000))
    const writing = first.write(new Uint8Array(4000)).then(() => 'written')
    expect(await Promise.race([writing, Promise.resolve('waiting')])).toBe('waiting')
    await second.read()
    await second.read()
    expect(await writing).toBe('written')
  })
})
