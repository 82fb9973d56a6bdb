import { concat } from '../../core/bytes.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'

/*
 * What may happen to the frames of an encrypted stream on the way; the last frame is goodbye.
 */

type Change = (frames: Bytes[], whole: Bytes, at: number, other: number) => Uint8Array

const changers = {
  flip: (_frames, whole, at, other) => {
    const changed = whole.slice()
    const index = at % whole.length
    changed[index] = (changed[index] ?? 0) ^ (1 << (other % 8))
    return changed
  },
  cut: (_frames, whole, at) => whole.subarray(0, at % whole.length),
  drop: (frames, _whole, at) => concat(...frames.filter((_, index) => index !== at % frames.length)),
  double: (frames, _whole, at) =>
    concat(
      ...frames.flatMap((frame, index) => (index === at % (frames.length - 1) ? [frame, frame] : [frame])),
    ),
  swap: (frames, _whole, at, other) => {
    const from = at % frames.length
    const to = (from + 1 + (other % (frames.length - 1))) % frames.length
    const order = frames.map((_, index) => (index === from ? to : index === to ? from : index))
    return concat(...order.flatMap((index) => frames[index] ?? []))
  },
  insert: (_frames, whole, at, other) => {
    const index = at % whole.length
    return concat(whole.subarray(0, index), new Uint8Array(1 + (other % 50)).fill(at), whole.subarray(index))
  },
  zero: (_frames, whole, at, other) => {
    const changed = whole.slice()
    changed.fill(0, at % whole.length, (at % whole.length) + 1 + (other % 40))
    return changed
  },
  remove: (_frames, whole, at, other) => {
    const index = at % whole.length
    return concat(whole.subarray(0, index), whole.subarray(index + 1 + (other % 40)))
  },
} satisfies Record<string, Change>

export type FaultKind = keyof typeof changers

export const faultKinds = Object.keys(changers) as FaultKind[]

/** The bytes of `frames` after a fault; `at` and `other` say where, whatever they are. */
export function inject(kind: FaultKind, frames: Bytes[], at: number, other: number): Uint8Array {
  return changers[kind](frames, concat(...frames), at, other)
}

export function cutBytes(bytes: Uint8Array, sizes: number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    chunks.push(bytes.slice(at, at + size))
    at += size
  }
  return chunks
}

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
