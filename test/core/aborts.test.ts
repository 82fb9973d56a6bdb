import { describe, expect, it, vi } from 'vitest'
import { abortWith, whenAborted } from '../../core/aborts.ts'

describe('whoever is told when a signal aborts', () => {
  it('is told once, with however many others through one listener', () => {
    const source = new AbortController()
    const listen = vi.spyOn(source.signal, 'addEventListener')
    const told: number[] = []
    const stops = Array.from({ length: 100 }, (_, index) =>
      whenAborted(source.signal, () => told.push(index)),
    )
    stops[7]?.()
    expect(listen).toHaveBeenCalledTimes(1)
    source.abort()
    source.abort()
    expect(told).toEqual(Array.from({ length: 100 }, (_, index) => index).filter((index) => index !== 7))
    for (const stop of stops) stop()
  })

  it('is told at once where it has aborted', () => {
    let told = 0
    whenAborted(AbortSignal.abort(), () => (told += 1))()
    expect(told).toBe(1)
  })

  it('may be told twice by the same function, and stop one of both', () => {
    const source = new AbortController()
    let told = 0
    const tell = () => (told += 1)
    whenAborted(source.signal, tell)
    whenAborted(source.signal, tell)()
    source.abort()
    expect(told).toBe(1)
  })

  it('may stop others, and ask to be told, while it is told', () => {
    const source = new AbortController()
    const told: string[] = []
    let stop = () => {}
    whenAborted(source.signal, () => {
      told.push('first')
      stop()
      whenAborted(source.signal, () => told.push('at once'))
    })
    stop = whenAborted(source.signal, () => told.push('never'))
    source.abort()
    expect(told).toEqual(['first', 'at once'])
  })
})

describe('a controller that aborts with others', () => {
  it('has the reason of the first', () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const mine = new AbortController()
    abortWith(mine, one.signal, other.signal)
    other.abort('that')
    one.abort('this')
    expect(mine.signal.reason).toBe('that')
  })

  it('does no more once it is let go', () => {
    const source = new AbortController()
    const mine = new AbortController()
    abortWith(mine, source.signal)()
    source.abort()
    expect(mine.signal.aborted).toBe(false)
  })

  it('has aborted where one of them has', () => {
    const mine = new AbortController()
    abortWith(mine, new AbortController().signal, AbortSignal.abort('before'))
    expect(mine.signal.reason).toBe('before')
  })
})
