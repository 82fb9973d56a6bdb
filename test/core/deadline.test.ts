import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { abortReason, untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { deferred } from '../support/deferred.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const late = () => new MultiserverError('TIMEOUT', 'late')

describe('withDeadline', () => {
  it('settles as the work does, and leaves no timer', async () => {
    expect(await withDeadline(Promise.resolve(7), 1000, late)).toBe(7)
    const failed = new Error('failed')
    await expect(withDeadline(Promise.reject(failed), 1000, late)).rejects.toBe(failed)
  })

  it('rejects at the deadline, and releases the loser with the error', async () => {
    const release = vi.fn()
    const result = withDeadline(new Promise(() => undefined), 1000, late, release)
    const rejected = expect(result).rejects.toMatchObject({ code: 'TIMEOUT' })
    await vi.advanceTimersByTimeAsync(999)
    expect(release).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await rejected
    expect(release.mock.calls).toMatchObject([[{ code: 'TIMEOUT' }]])
  })
})

describe('untilAborted', () => {
  it('settles as the work does, and takes no notice of an abort after that', async () => {
    const controller = new AbortController()
    const release = vi.fn()
    expect(await untilAborted(Promise.resolve(7), controller.signal, release)).toBe(7)
    controller.abort()
    expect(release).not.toHaveBeenCalled()
  })

  it.each(['before', 'meanwhile'])(
    'rejects when it is aborted %s, and releases what comes too late',
    async (when) => {
      const controller = new AbortController()
      const { promise, resolve } = deferred<string>()
      const release = vi.fn()
      if (when === 'before') controller.abort(late())
      const result = untilAborted(promise, controller.signal, release)
      if (when === 'meanwhile') controller.abort(late())
      await expect(result).rejects.toMatchObject({ code: 'TIMEOUT' })
      expect(release).not.toHaveBeenCalled()
      resolve('connection')
      await promise
      expect(release.mock.calls).toEqual([['connection']])
    },
  )

  it('leaves no rejection unhandled when the work fails too late', async () => {
    const { promise, reject } = deferred<string>()
    const result = untilAborted(promise, AbortSignal.abort(late()), () => undefined)
    reject(new Error('nobody hears this'))
    await expect(result).rejects.toMatchObject({ code: 'TIMEOUT' })
  })
})

describe('abortReason', () => {
  it('is an error of ours as it is, and wraps any other', () => {
    const ours = late()
    expect(abortReason(AbortSignal.abort(ours))).toBe(ours)
    for (const cause of [new TypeError('theirs'), 'a text']) {
      expect(abortReason(AbortSignal.abort(cause))).toMatchObject({ code: 'ABORTED', cause })
    }
    expect(abortReason(AbortSignal.abort())).toMatchObject({ code: 'ABORTED' })
  })
})
