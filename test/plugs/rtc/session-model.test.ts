import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import { FakeLink } from '../../support/fake-path.ts'
import type { Path } from '../../../core/types.ts'

const id = new Uint8Array(16).fill(6)
const realImmediate = setImmediate

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

type Who = 0 | 1
type Step =
  | { readonly do: 'write'; readonly who: Who; readonly bytes: number }
  | { readonly do: 'read'; readonly who: Who; readonly chunks: number }
  | { readonly do: 'end' | 'abort' | 'loseData'; readonly who: Who; readonly link: number }
  | { readonly do: 'pass'; readonly ms: number }
  | {
      readonly do: 'add'
      readonly kind: Path
      readonly delayMs: number
      readonly bytesPerMs: number
      readonly frame: number
    }
  | { readonly do: 'break' | 'silence'; readonly link: number }

const who = fc.constantFrom<Who>(0, 1)
const link = fc.nat(3)
const peaceful: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      who,
      bytes: fc.oneof(fc.nat(3), fc.nat(5000), fc.nat(200_000)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('read' as const), who, chunks: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), who, link }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat(5), fc.nat(80), fc.nat(8000)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      kind: fc.constantFrom<Path>('direct', 'turn', 'relay'),
      delayMs: fc.constantFrom(0, 1, 30, 400),
      bytesPerMs: fc.constantFrom(200, 2000, Infinity),
      frame: fc.constantFrom(1024, 16_384, 65_536),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('break' as const, 'silence' as const), link }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('loseData' as const), who, link }) },
]
const aborting: fc.WeightedArbitrary<Step> = {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant('abort' as const), who, link }),
}

describe('two sessions over paths that come and go', () => {
  it('bring everything across and close in peace while one path lives', async () => {
    await holds(fc.array(fc.oneof(...peaceful), { minLength: 20, maxLength: 60 }), async (steps) => {
      const pair = new Pair({ keepFirst: true })
      for (const step of steps) await pair.take(step)
      await pair.finish()
      expect(pair.sides.map(({ failures }) => failures)).toEqual([[], []])
      const [one, other] = pair.sides
      expect([one.read, other.read]).toEqual([other.written, one.written])
    })
  })

  it('read a prefix of what was written, and then an end or an error, whatever happens', async () => {
    await holds(
      fc.array(fc.oneof(...peaceful, aborting), { minLength: 20, maxLength: 60 }),
      async (steps) => {
        const pair = new Pair({ keepFirst: false })
        for (const step of steps) await pair.take(step)
        await pair.finish()
      },
    )
  })
})

let steps = 0

async function holds(arbitrary: fc.Arbitrary<Step[]>, run: (steps: Step[]) => Promise<void>): Promise<void> {
  steps = 0
  await fc.assert(
    fc.asyncProperty(arbitrary, async (given) => {
      vi.clearAllTimers()
      await run(given)
      expect(vi.getTimerCount()).toBe(0)
    }),
    { numRuns: 400 },
  )
  expect(steps).toBeGreaterThan(10_000)
}

/** One session and what it should have come to. */
class Side {
  readonly session: Session
  readonly failures: unknown[] = []
  written = 0
  read = 0
  isOver = false
  #mark: number
  #peer: Side | undefined
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false
  #isEnded = false
  #reading = false
  #wanted = 0

  constructor(session: Session, mark: number) {
    this.session = session
    this.#mark = mark
    void session.closed.then(() => (this.isOver = true))
  }

  /** Whose bytes are to arrive here. */
  follow(peer: Side): void {
    this.#peer = peer
  }

  write(bytes: number): void {
    if (this.#isWriting || this.#isEnded || bytes === 0) return
    this.#isWriting = true
    const chunk = bytesOf(this.#mark, this.written, bytes)
    this.written += bytes
    this.#writing = this.session
      .write(chunk)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => (this.#isWriting = false))
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#writing = this.#writing.then(() => this.session.end()).catch((error: unknown) => this.#fail(error))
  }

  wantChunks(count: number): void {
    this.#wanted += count
    if (!this.#reading) void this.#readAll()
  }

  async #readAll(): Promise<void> {
    this.#reading = true
    for (; this.#wanted > 0; this.#wanted--) {
      const chunk = await this.session.read().catch((error: unknown) => {
        this.#fail(error)
        return null
      })
      if (chunk === null) return
      const expected = bytesOf(1 - this.#mark, this.read, chunk.length)
      if (Buffer.compare(chunk, expected) !== 0)
        throw new Error(`other bytes than were written at ${this.read}`)
      this.read += chunk.length
      expect(this.read).toBeLessThanOrEqual(this.#peer?.written ?? 0)
    }
    this.#reading = false
  }

  #fail(error: unknown): void {
    this.failures.push(error)
  }
}

class Pair {
  readonly sides: readonly [Side, Side]
  readonly #keepFirst: boolean
  #links: FakeLink[] = []

  constructor({ keepFirst }: { keepFirst: boolean }) {
    const make = (role: 'client' | 'server', mark: number) =>
      new Side(new Session({ id, role, address: `rtc:${role}` }), mark)
    this.sides = [make('client', 0), make('server', 1)]
    this.sides[0].follow(this.sides[1])
    this.sides[1].follow(this.sides[0])
    this.#keepFirst = keepFirst
    this.#add(new FakeLink({ kind: 'turn', delayMs: 10 }))
  }

  async take(step: Step): Promise<void> {
    steps += 1
    switch (step.do) {
      case 'write':
        this.sides[step.who].write(step.bytes)
        break
      case 'read':
        this.sides[step.who].wantChunks(step.chunks)
        break
      case 'end':
        this.sides[step.who].end()
        break
      case 'abort':
        this.sides[step.who].session.abort()
        break
      case 'pass':
        await passTime(step.ms)
        break
      case 'add':
        // A fifth path would push out the first.
        if (this.#links.filter((each) => !each.isOver).length < limits.session.paths) {
          this.#add(new FakeLink({ ...step, maxFrameBytes: step.frame }))
        }
        break
      case 'break':
        this.#choose(step.link)?.break()
        break
      case 'silence':
        this.#choose(step.link)?.silence()
        break
      case 'loseData':
        this.#choose(step.link)?.loseData(step.who)
    }
    await turns()
  }

  /** Both write no more and read to the end; nothing may be left half an hour later. */
  async finish(): Promise<void> {
    for (const side of this.sides) {
      side.end()
      side.wantChunks(Infinity)
    }
    const lateMs = performance.now() + 1_800_000
    await turns()
    while (!this.sides.every(({ isOver }) => isOver)) {
      if (vi.getTimerCount() === 0) throw new Error('it waits and nothing will come')
      if (performance.now() > lateMs) throw new Error('it does not come to an end')
      vi.advanceTimersToNextTimer()
      await turns()
    }
    await turns()
    for (const each of this.#links) each.break()
  }

  #add(added: FakeLink): void {
    this.#links.push(added)
    for (const [index, side] of this.sides.entries()) {
      const end = added.ends[index]
      if (end !== undefined && !side.isOver) side.session.addPath(end)
    }
    if (this.sides.some(({ isOver }) => isOver)) added.break()
  }

  #choose(index: number): FakeLink | undefined {
    const [first, ...others] = this.#links
    const living = [...(this.#keepFirst || first === undefined ? [] : [first]), ...others].filter(
      (each) => !each.isOver,
    )
    return living[index % Math.max(living.length, 1)]
  }
}

/** What side `mark` writes at `offset`, in every run. */
function bytesOf(mark: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  const start = (offset + mark * 101) % 251
  const { length: period } = repeated
  for (let at = 0; at < length;) {
    const from = (start + at) % 251
    const part = repeated.subarray(from, Math.min(period, from + length - at))
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** 0 to 250, again and again: no frame size of the test divides it. */
const repeated = Uint8Array.from({ length: 251 * 300 }, (_, index) => index % 251)

function turns(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

/** What is due in this time happens in its order, and promises settle in between. */
async function passTime(ms: number): Promise<void> {
  const until = performance.now() + ms
  for (let step = 1; performance.now() < until; step *= 2) {
    vi.advanceTimersByTime(Math.min(step, until - performance.now()))
    await turns()
  }
}
