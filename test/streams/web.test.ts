import { describe, expect, it } from 'vitest'
import { concat, fromText } from '../../core/bytes.ts'
import type { Bytes } from '../../core/types.ts'
import { failure } from '../support/failure.ts'
import { connectConnections } from './connections.ts'

describe('the web streams of a connection', () => {
  it('pipe through both ends, and end both', async () => {
    const { client, server } = await connectConnections({ shs: true })
    const bytes = new Uint8Array(1_000_000).fill(7)
    const echoing = server.readable.pipeTo(server.writable)
    const sending = new Blob([bytes]).stream().pipeTo(client.writable)
    expect(await readAll(client.readable)).toEqual(bytes)
    await Promise.all([sending, echoing, client.closed, server.closed])
    expect([client.error, server.error]).toEqual([undefined, undefined])
  })

  it('hold a writer back while nobody reads', async () => {
    const { client, server } = await connectConnections()
    const writer = client.writable.getWriter()
    const writes = Array.from({ length: 16 }, () => writer.write(new Uint8Array(64 * 1024)))
    await writes[0]
    expect(writer.desiredSize).toBeLessThanOrEqual(0)
    const closing = writer.close()
    const received = await readAll(server.readable)
    expect(received.length).toBe(16 * 64 * 1024)
    await Promise.all([...writes, closing])
    client.abort()
  })

  it('read nothing ahead', async () => {
    const { client, server } = await connectConnections()
    const { readable } = server
    await client.write(fromText('for whoever asks'))
    expect(await server.read()).toEqual(fromText('for whoever asks'))
    await readable.cancel()
    await failure(client.read())
  })

  it('abort the connection with the reason of a cancel', async () => {
    const { client, server } = await connectConnections()
    const reason = new Error('not wanted')
    await client.readable.cancel(reason)
    expect(client.error).toMatchObject({ code: 'ABORTED', cause: reason })
    await failure(server.read())
  })

  it('abort the connection with the reason of an abort, whatever it is', async () => {
    const { client, server } = await connectConnections()
    await client.writable.abort('no error at all')
    expect(client.error).toMatchObject({ code: 'ABORTED', cause: 'no error at all' })
    await failure(server.read())
  })

  it('break with the error of the connection', async () => {
    const { client, server } = await connectConnections()
    const reading = failure(readAll(client.readable))
    const writer = client.writable.getWriter()
    server.abort()
    expect(await reading).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await failure(writer.write(fromText('x')))).toMatchObject({ code: 'CONNECTION_LOST' })
    await failure(writer.closed)
  })
})

async function readAll(readable: ReadableStream<Bytes>): Promise<Bytes> {
  const chunks: Bytes[] = []
  for await (const chunk of readable) chunks.push(chunk)
  return concat(...chunks)
}
