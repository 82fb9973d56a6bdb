import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import type { ByteStream } from '../../core/types.ts'

/** What both ends have proved. */
export const provenKey = new Uint8Array(32).fill(7)

/** A connection to send files over, the client's end first; `cut` stands between that end and the stream. */
export function connectPair(cut?: (stream: ByteStream) => ByteStream): [Connection, Connection] {
  const [near, far] = createPair()
  const facts = { address: 'memory:test', strength: 2, lingerMs: 1_000, remote: provenKey }
  return [
    new Connection(cut === undefined ? near : cut(near), { ...facts, role: 'client' }),
    new Connection(far, { ...facts, role: 'server' }),
  ]
}
