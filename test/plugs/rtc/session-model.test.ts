import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { whenAborted } from '../../../core/aborts.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { redial } from '../../../plugs/rtc/redial.ts'
import { joinServerSessions, type ServerSessions } from '../../../plugs/rtc/server-sessions.ts'
import { Session } from '../../../plugs/rtc/session.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeLink, type FakeLinkOptions } from '../../support/fake-path.ts'
import type { Path } from '../../../core/types.ts'
import type { IntroductionOptions } from '../../../plugs/rtc/introduction.ts'

const realImmediate = setImmediate
const { largestWindowBytes, unacknowledgedBytes } = limits.session

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  // Of the jitter: what fast-check finds must come again with its seed.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

type Who = 0 | 1
type Step =
  | { readonly do: 'write'; readonly who: Who; readonly bytes: number }
  | { readonly do: 'read'; readonly who: Who; readonly chunks: number }
  | { readonly do: 'end' | 'abort' | 'loseData' | 'doubt'; readonly who: Who; readonly link: number }
  | { readonly do: 'pass' | 'outage'; readonly ms: number }
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
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('break' as const, 'silence' as const), link }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('loseData' as const, 'doubt' as const), who, link }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('outage' as const), ms: fc.nat(4000) }) },
]
const longOutage: fc.WeightedArbitrary<Step> = {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant('outage' as const), ms: fc.nat(120_000) }),
}
const aborting: fc.WeightedArbitrary<Step> = {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant('abort' as const), who, link }),
}

describe('two sessions over paths that come and go', () => {
  it('bring everything across and close in peace as long as the client finds another path', async () => {
    await holds(fc.array(fc.oneof(...peaceful), { minLength: 20, maxLength: 60 }), async (given) => {
      const pair = await Pair.open({ resumeMs: 600_000 })
      for (const step of given) await pair.take(step)
      await pair.finish()
      expect(pair.sides.map(({ failures }) => failures)).toEqual([[], []])
      const [one, other] = pair.sides
      expect([one.read, other.read]).toEqual([other.written, one.written])
      found += pair.found
    })
    expect(found).toBeGreaterThan(400)
  }, 60_000)

  it.each([0, 10_000])(
    'read a prefix of what was written, and then an end or an error, whatever happens, with %i ms to resume',
    async (resumeMs) => {
      const any = fc.oneof(...peaceful, longOutage, aborting)
      await holds(fc.array(any, { minLength: 20, maxLength: 60 }), async (given) => {
        const pair = await Pair.open({ resumeMs })
        for (const step of given) await pair.take(step)
        await pair.finish()
      })
    },
    60_000,
  )
})

let found = 0
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

let sessions = 0

/** A client and a server with its registry, and what a hub would do between them. */
class Pair {
  readonly sides: readonly [Side, Side]
  readonly #id: Uint8Array<ArrayBuffer>
  readonly #registry: ServerSessions
  readonly #leave: () => void
  readonly #links: FakeLink[]
  #downUntil = 0
  /** Paths that were found by the client for want of one that it trusts. */
  found = 0
  /** What the next dial brings. */
  #next: FakeLinkOptions = { kind: 'turn', delayMs: 10 }

  private constructor(
    id: Uint8Array<ArrayBuffer>,
    sides: readonly [Session, Session],
    links: FakeLink[],
    { sessions: registry, leave }: ReturnType<typeof joinServerSessions>,
  ) {
    this.#id = id
    this.sides = [new Side(sides[0], 0), new Side(sides[1], 1)]
    this.sides[0].follow(this.sides[1])
    this.sides[1].follow(this.sides[0])
    this.#links = links
    this.#registry = registry
    this.#leave = leave
  }

  static async open({ resumeMs }: { resumeMs: number }): Promise<Pair> {
    const id = new Uint8Array(16)
    new DataView(id.buffer).setUint32(0, sessions++)
    const joined = joinServerSessions(new Uint8Array(32), () => undefined)
    const client: Session = new Session({
      id,
      role: 'client',
      address: 'rtc:server',
      resumeMs,
      findPath: (over) =>
        redial(client, async ({ signal, onPath }) => onPath(await pair.#dial(signal)), over),
    })
    const accepted = deferred<Session>()
    const owner = {
      options: {} as IntroductionOptions,
      signal: new AbortController().signal,
      section: 'rtc:client',
      resumeMs,
      accept: (stream: unknown) => accepted.resolve(stream as Session),
    }
    const first = new FakeLink({ kind: 'turn', delayMs: 10 })
    client.addPath(first.ends[0])
    void joined.sessions.begin(id, owner).take(first.ends[1])
    await passTime(30)
    const pair: Pair = new Pair(id, [client, await accepted.promise], [first], joined)
    return pair
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
      case 'outage':
        this.#downUntil = performance.now() + step.ms
        for (const each of this.#links) each.silence()
        break
      case 'add':
        this.#next = { ...step, maxFrameBytes: step.frame }
        if (performance.now() >= this.#downUntil) this.#add()
        break
      case 'break':
        this.#choose(step.link)?.break()
        break
      case 'silence':
        this.#choose(step.link)?.silence()
        break
      case 'loseData':
        this.#choose(step.link)?.loseData(step.who)
        break
      case 'doubt':
        this.#choose(step.link)?.ends[step.who].doubt()
    }
    await turns()
    for (const { session } of this.sides) {
      expect(session.heldBytes).toBeLessThanOrEqual(unacknowledgedBytes + largestWindowBytes)
    }
  }

  /** Both write no more and read to the end; nothing may be left half an hour later. */
  async finish(): Promise<void> {
    this.#downUntil = 0
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
    this.#leave()
    for (const each of this.#links) each.break()
    await turns()
  }

  /** What the client does at a loss: an introduction of a while, which the server may refuse. */
  async #dial(signal: AbortSignal): Promise<FakeLink['ends'][0]> {
    const until = performance.now() + 3 * (this.#next.delayMs ?? 0)
    while (performance.now() < Math.max(until, this.#downUntil)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100)
        whenAborted(signal, () => {
          clearTimeout(timer)
          resolve()
        })
      })
      if (signal.aborted) throw new MultiserverError('TIMEOUT')
    }
    const taker = this.#registry.find(this.#id)
    if (taker === undefined) throw new MultiserverError('PATH_LOST')
    this.found += 1
    const made = this.#makeLink()
    void taker.take(made.ends[1])
    return made.ends[0]
  }

  /** A path that nobody needed. */
  #add(): void {
    const taker = this.#registry.find(this.#id)
    if (taker === undefined || this.sides[0].isOver) return
    const made = this.#makeLink()
    this.sides[0].session.addPath(made.ends[0])
    void taker.take(made.ends[1])
  }

  #makeLink(): FakeLink {
    const made = new FakeLink(this.#next)
    this.#links.push(made)
    return made
  }

  #choose(index: number): FakeLink | undefined {
    const living = this.#links.filter((each) => !each.isOver)
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
