import MultiServer, { type Connection, type StackInput } from '../../core/multiserver.ts'
import type { Transform } from '../../core/types.ts'
import rtc, { type RtcOptions } from '../../plugs/rtc/index.ts'
import { askEcho, askSink, type Contestant } from '../contestant.ts'

/** This package over WebRTC, in Node or in a page; `introducer` is the URL of its hub. */
export function overHub(secure: () => Promise<Transform[]>, options: RtcOptions = {}): Contestant {
  return {
    serve: async (_link, introducer) =>
      serveStack([rtc({ hub: introducer, ...options }), ...(await secure())]),
    dial: async (address) => dialStack([rtc(options), ...(await secure())], address),
  }
}

export async function serveStack(stack: StackInput): ReturnType<Contestant['serve']> {
  const server = MultiServer([stack])
  const close = server.server((connection) => serveConnection(connection))
  await close.listening
  return { address: server.stringify(), close }
}

export async function dialStack(stack: StackInput, address: string): ReturnType<Contestant['dial']> {
  const connection = await MultiServer([stack]).client(address)
  return {
    write: (chunk) => connection.write(chunk),
    end: () => connection.end(),
    async answer() {
      await connection.read()
    },
    close: () => connection.close(),
  }
}

async function serveConnection(connection: Connection): Promise<void> {
  const first = await connection.read()
  if (first?.[0] === askEcho) return await echo(connection, first)
  if (first?.[0] === askSink) for await (const chunk of connection) void chunk
  await connection.write(Uint8Array.of(1))
  await connection.close()
}

async function echo(connection: Connection, first: Uint8Array): Promise<void> {
  await connection.write(first)
  for await (const chunk of connection) await connection.write(chunk)
  await connection.close()
}
