import MultiServer, { type Connection, type StackInput } from '../../core/multiserver.ts'
import { askEcho, askSink, type Contestant } from '../contestant.ts'

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
  // An idle one, which is over.
  if (first === null) return await connection.close()
  if (first[0] === askEcho) return await echo(connection, first)
  if (first[0] === askSink) for await (const chunk of connection) void chunk
  await connection.write(Uint8Array.of(1))
  await connection.close()
}

async function echo(connection: Connection, first: Uint8Array): Promise<void> {
  await connection.write(first)
  for await (const chunk of connection) await connection.write(chunk)
  await connection.close()
}
