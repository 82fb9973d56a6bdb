import { describe, expect, it } from 'vitest'
import { BufferPool } from '../../core/buffer-pool.ts'

describe('BufferPool', () => {
  it('gives buffers of its size, each to one taker at a time', () => {
    const pool = new BufferPool(100, 2)
    const [first, second] = [pool.take(), pool.take()]
    expect([first.length, second.length]).toEqual([100, 100])
    expect(second).not.toBe(first)
  })

  it('gives out again what was given back', () => {
    const pool = new BufferPool(100, 2)
    const buffer = pool.take()
    pool.give(buffer)
    expect(pool.take()).toBe(buffer)
    expect(pool.take()).not.toBe(buffer)
  })

  it('keeps no more than it is to', () => {
    const pool = new BufferPool(100, 2)
    const buffers = [pool.take(), pool.take(), pool.take()]
    for (const buffer of buffers) pool.give(buffer)
    const again = [pool.take(), pool.take(), pool.take()]
    expect(again.filter((buffer) => buffers.includes(buffer))).toHaveLength(2)
  })
})
