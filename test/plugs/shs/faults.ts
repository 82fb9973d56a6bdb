import fc from 'fast-check'
import { concat } from '../../../core/bytes.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'

/** What may happen on the way to messages that were sent; `at` and `other` say where and how much. */
export interface Fault {
  readonly kind: keyof typeof changers
  readonly at: number
  readonly other: number
}

type Change = (messages: readonly Bytes[], whole: Bytes, at: number, other: number) => Uint8Array

const changers = {
  flip: (_messages, whole, at, other) => {
    const changed = whole.slice()
    const index = at % whole.length
    changed[index] = (changed[index] ?? 0) ^ (1 << (other % 8))
    return changed
  },
  cut: (_messages, whole, at) => whole.subarray(0, at % whole.length),
  drop: (messages, _whole, at) => concat(...messages.filter((_, index) => index !== at % messages.length)),
  double: (messages, _whole, at) =>
    concat(
      ...messages.flatMap((message, index) =>
        index === at % (messages.length - 1) ? [message, message] : [message],
      ),
    ),
  swap: (messages, _whole, at, other) => {
    const from = at % messages.length
    const to = (from + 1 + (other % (messages.length - 1))) % messages.length
    const order = messages.map((_, index) => (index === from ? to : index === to ? from : index))
    return concat(...order.flatMap((index) => messages[index] ?? []))
  },
  insert: (_messages, whole, at, other) => {
    const index = at % whole.length
    return concat(whole.subarray(0, index), new Uint8Array(1 + (other % 50)).fill(at), whole.subarray(index))
  },
  zero: (_messages, whole, at, other) => {
    const changed = whole.slice()
    changed.fill(0, at % whole.length, (at % whole.length) + 1 + (other % 40))
    return changed
  },
  remove: (_messages, whole, at, other) => {
    const index = at % whole.length
    return concat(whole.subarray(0, index), whole.subarray(index + 1 + (other % 40)))
  },
} satisfies Record<string, Change>

export const anyFault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom(...(Object.keys(changers) as Fault['kind'][])),
  at: fc.nat({ max: 0xffff }),
  other: fc.nat({ max: 0xffff }),
})

/** The bytes that arrive, which may be what was sent. */
export function applyFault({ kind, at, other }: Fault, messages: readonly Bytes[]): Uint8Array {
  return changers[kind](messages, concat(...messages), at, other)
}

/** In chunks of `sizes`, in turn. */
export function cutBytes(bytes: Uint8Array, sizes: number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    chunks.push(bytes.slice(at, at + size))
    at += size
  }
  return chunks
}

/** How many bytes are the same from the start. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  return at
}

/** All that can be read, and what the stream then broke with. */
export async function readToError(
  stream: ByteStream,
): Promise<{ plain: Bytes; error: Error & { code?: string } }> {
  const chunks: Bytes[] = []
  try {
    for (;;) {
      const chunk = await stream.read()
      if (chunk === null) throw new Error('it ended as if nothing were wrong')
      chunks.push(chunk)
    }
  } catch (error) {
    return { plain: concat(...chunks), error: error as Error }
  }
}
