import { describe, expect, it, vi } from 'vitest'
import { MultiServer } from '../../compat/index.ts'
import type { Close, Stack } from '../../compat/types.ts'
import { stop } from './setup.ts'

/** Closes at once, and takes no callback. */
function syncServer(onClose: () => void): Stack {
  return { server: () => () => onClose() } as unknown as Stack
}

/** Closes in a later turn. */
function asyncServer(onClose: () => void): Stack {
  const close: Close = (callback) => {
    setImmediate(() => {
      onClose()
      callback?.(null)
    })
  }
  return { server: () => close } as unknown as Stack
}

const nobody = () => undefined

describe('closing a server of several', () => {
  it('calls each that closes at once', () => {
    const closed = vi.fn()
    void MultiServer([syncServer(closed), syncServer(closed)]).server(nobody)()
    expect(closed).toHaveBeenCalledTimes(2)
  })

  it.each(['first', 'again'])('waits for all that close later (%s)', async () => {
    const closed = vi.fn()
    await stop(MultiServer([asyncServer(closed), asyncServer(closed)]).server(nobody))
    expect(closed).toHaveBeenCalledTimes(2)
  })

  it('waits for those that close later among those that close at once', async () => {
    const [atOnce, later] = [vi.fn(), vi.fn()]
    await stop(MultiServer([syncServer(atOnce), asyncServer(later)]).server(nobody))
    expect(atOnce).toHaveBeenCalledTimes(1)
    expect(later).toHaveBeenCalledTimes(1)
  })

  it('calls back when all close at once', async () => {
    await stop(MultiServer([syncServer(nobody)]).server(nobody))
  })
})
