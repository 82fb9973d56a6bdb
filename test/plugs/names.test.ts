import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../core/limits.ts'
import { Names, type AskSystem } from '../../plugs/names.ts'

const all = { all: true } as const
const { patienceMs, remembered } = limits.names

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** A system that answers when it is told to. */
function play() {
  const asked: { name: string; answer: (address: string | Error) => void }[] = []
  const ask: AskSystem = (name, _options, answer) =>
    asked.push({
      name,
      answer: (said) =>
        said instanceof Error ? answer(said, []) : answer(null, [{ address: said, family: 4 }]),
    })
  const names = new Names(ask)
  const resolve = async (name: string) => (await names.resolve(name, all)).map(({ address }) => address)
  return { asked, names, resolve }
}

describe('a name', () => {
  it('is asked for once at a time, however many wait for it', async () => {
    const { asked, resolve } = play()
    const waiting = [resolve('hub.example'), resolve('hub.example'), resolve('other.example')]
    expect(asked.map(({ name }) => name)).toEqual(['hub.example', 'other.example'])
    asked[0]?.answer('192.0.2.1')
    asked[1]?.answer('192.0.2.2')
    expect(await Promise.all(waiting)).toEqual([['192.0.2.1'], ['192.0.2.1'], ['192.0.2.2']])
  })

  it('is asked for anew each time, and its newest answer counts', async () => {
    const { asked, resolve } = play()
    for (const address of ['192.0.2.1', '192.0.2.7']) {
      const answered = resolve('hub.example')
      asked.at(-1)?.answer(address)
      expect(await answered).toEqual([address])
    }
  })

  it('that is not answered in time is where it was the last time, and the answer counts when it comes', async () => {
    const { asked, resolve } = play()
    const first = resolve('hub.example')
    asked[0]?.answer('192.0.2.1')
    await first
    const late = resolve('hub.example')
    await vi.advanceTimersByTimeAsync(patienceMs)
    expect(await late).toEqual(['192.0.2.1'])
    const later = resolve('hub.example')
    expect(asked).toHaveLength(2)
    asked[1]?.answer('192.0.2.9')
    expect(await later).toEqual(['192.0.2.9'])
  })

  it('that nobody knows fails for all who wait, and is asked for again', async () => {
    const { asked, resolve } = play()
    const waiting = [resolve('hub.example'), resolve('hub.example')]
    asked[0]?.answer(new Error('ENOTFOUND'))
    for (const each of waiting) await expect(each).rejects.toThrow('ENOTFOUND')
    const again = resolve('hub.example')
    asked[1]?.answer('192.0.2.1')
    expect(await again).toEqual(['192.0.2.1'])
  })

  it('that was answered fails when the system says so in time', async () => {
    const { asked, resolve } = play()
    const first = resolve('hub.example')
    asked[0]?.answer('192.0.2.1')
    await first
    const gone = resolve('hub.example')
    asked[1]?.answer(new Error('ENOTFOUND'))
    await expect(gone).rejects.toThrow('ENOTFOUND')
  })

  it(`is remembered with ${remembered} others at most`, async () => {
    const { asked, names, resolve } = play()
    for (let count = 0; count <= remembered; count++) {
      const answered = resolve(`${count}.example`)
      asked.at(-1)?.answer('192.0.2.1')
      await answered
    }
    let isKnown = false
    void names.resolve('0.example', all).then(() => (isKnown = true))
    await vi.advanceTimersByTimeAsync(patienceMs)
    expect(isKnown).toBe(false)
  })
})

describe('the system', () => {
  it('is asked by default', async () => {
    const [first] = await new Names().resolve('localhost', all)
    expect(['127.0.0.1', '::1']).toContain(first?.address)
  })
})
