import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MultiserverError, type ErrorCode } from '../../core/errors.ts'
import { MultiServer, type Connection, type DialOptions, type StackInput } from '../../core/multiserver.ts'
import { createPair } from '../../core/pair.ts'
import type { Transform, Transport } from '../../core/types.ts'
import { keyBytes, keyText, stagedNoauth, stagedTransform, stagedTransport, type Proof } from './staged.ts'

/** What somebody on the way lets happen at a place: the attacker of this test blocks as he likes. */
type Fate = 'refused' | 'silent' | Proof

interface Choice {
  readonly transport: string
  readonly transform: string
  readonly key: number
  readonly fate: Fate
}

interface Case {
  readonly stacks: readonly (readonly [string, string])[]
  readonly choices: readonly Choice[]
  readonly options: DialOptions
}

const strengths: Record<string, number> = { '': 0, noauth: 0, shs: 1, shs2: 2 }
const right = 'right key'

const cases: fc.Arbitrary<Case> = fc.record({
  stacks: fc.uniqueArray(
    fc.tuple(fc.constantFrom('aa', 'bb'), fc.constantFrom('', 'noauth', 'shs', 'shs2')),
    { selector: (names) => names.join(), maxLength: 8 },
  ),
  choices: fc.array(
    fc.record({
      transport: fc.constantFrom('aa', 'bb', 'unknown'),
      transform: fc.constantFrom('', 'noauth', 'shs', 'shs2', 'pigeon'),
      key: fc.oneof({ weight: 40, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(2) }),
      fate: fc.constantFrom<Fate>(
        'refused',
        'silent',
        right,
        right,
        'wrong key',
        'no key',
        'failure',
        'silence',
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  options: fc.record({
    allowDowngrade: fc.constantFrom(undefined, false, true),
    minStrength: fc.constantFrom(undefined, 0, 1, 2),
  }),
})

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('connects authenticated at the greatest strength that both sides know, or fails', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (one) => {
      const result = await dial(one)
      expect(describeResult(result)).toEqual(predict(one))
      expect(vi.getTimerCount()).toBe(0)
      if (result instanceof MultiserverError) return
      if (one.options.allowDowngrade === true) return
      // Said once more and without the model: nothing stronger that both know stands in the address.
      expect(result.strength).toBe(Math.max(...known(one).map(strengthOf)))
    }),
    { numRuns: 3000 },
  )
})

/** What the rules ask for: an error code, or the strength and key of the connection. */
function predict(one: Case): Outcome {
  const { choices, options } = one
  const named = choices.filter(({ transform }) => transform.startsWith('shs')).map(({ key }) => key)
  if (new Set(named).size > 1) return { code: 'ADDRESS_INVALID' }
  if (known(one).length === 0) return { code: 'NO_STACK_FITS' }
  const promises = choices.some(({ transform }) => transform !== '' && transform !== 'noauth')
  const minimum = promises && options.allowDowngrade !== true ? 1 : 0
  const allowed = known(one).filter(
    (choice) => strengthOf(choice) >= Math.max(minimum, options.minStrength ?? 0),
  )
  if (allowed.length === 0) return { code: 'DOWNGRADE_REFUSED' }
  const strongest = Math.max(...allowed.map(strengthOf))
  for (const strength of options.allowDowngrade === true ? [2, 1, 0] : [strongest]) {
    const group = allowed.filter((choice) => strengthOf(choice) === strength)
    const winner = group.find(succeeds)
    if (winner !== undefined) return { strength, key: strength === 0 ? undefined : winner.key }
    if (group.some(hangs)) return { code: 'TIMEOUT' }
  }
  return { code: 'DIAL_FAILED' }
}

type Outcome = { code: ErrorCode } | { strength: number; key: number | undefined }

function known({ stacks, choices }: Case): Choice[] {
  return choices.filter((choice) =>
    stacks.some(([transport, transform]) => transport === choice.transport && transform === choice.transform),
  )
}

function strengthOf({ transform }: Choice): number {
  return strengths[transform] ?? 0
}

function succeeds(choice: Choice): boolean {
  if (choice.fate === 'refused' || choice.fate === 'silent') return false
  return strengthOf(choice) === 0 || choice.fate === right
}

function hangs(choice: Choice): boolean {
  return choice.fate === 'silent' || (choice.fate === 'silence' && strengthOf(choice) > 0)
}

function describeResult(result: Connection | MultiserverError): Outcome {
  if (result instanceof MultiserverError) return { code: result.code }
  const key = result.remote && [1, 2].find((number) => keyBytes(number).join() === result.remote?.join())
  return { strength: result.strength, key }
}

async function dial({ stacks, choices, options }: Case): Promise<Connection | MultiserverError> {
  const address = choices.map((choice, index) => formatChoice(choice, index)).join(';')
  const server = MultiServer(stacks.map(([transport, name]) => createStack(transport, name, choices)))
  const dialing = server.client(address, options).catch((error: MultiserverError) => error)
  await vi.runAllTimersAsync()
  const result = await dialing
  if (result instanceof MultiserverError) return result
  result.abort()
  return result
}

function formatChoice({ transport, transform, key }: Choice, index: number): string {
  const section = transform === '' || transform === 'noauth' ? transform : `${transform}:${keyText(key)}`
  return [`${transport}:${index}`, section].filter((part) => part !== '').join('~')
}

/** Each section names its choice, and the choice its fate. */
function createStack(name: string, transform: string, choices: readonly Choice[]): StackInput {
  let fate: Fate | undefined
  const transport: Transport = {
    ...stagedTransport(name),
    parse(section) {
      const [found, index] = section.split(':')
      if (found !== name) return null
      return {
        dial() {
          fate = choices[Number(index)]?.fate
          if (fate === 'refused') return Promise.reject(new Error('refused'))
          if (fate === 'silent') return new Promise(() => undefined)
          return Promise.resolve({ ...createStream(), fate })
        },
      }
    },
  }
  const transforms = {
    shs: stagedTransform('shs', 1),
    shs2: stagedTransform('shs2', 2),
    noauth: stagedNoauth(),
  }
  if (transform === '') return transport
  return [transport, withFate(transforms[transform as keyof typeof transforms])]
}

/** The fate travels with the stream, because several dials are under way at once. */
function withFate(transform: Transform): Transform {
  const { name, strength = 0 } = transform
  if (strength === 0) return transform
  const prove = (proof: Proof) => stagedTransform(name, strength, () => proof)
  return {
    ...transform,
    parse(text) {
      const target = transform.parse(text)
      return (
        target && {
          ...target,
          connect(stream, context) {
            const proof = (stream as unknown as { fate: Proof }).fate
            return (
              prove(proof).parse(text)?.connect(stream, context) ?? Promise.reject(new Error('no target'))
            )
          },
        }
      )
    },
  }
}

function createStream() {
  const [near] = createPair()
  return {
    closed: near.closed,
    read: () => near.read(),
    write: (chunk: Uint8Array) => near.write(chunk),
    end: () => near.end(),
    abort: (reason?: Error) => near.abort(reason),
  }
}
