import { once } from 'node:events'
import { PassThrough, Readable, Writable, type Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it, vi } from 'vitest'
import { fromText } from '../../core/bytes.ts'
import type { Connection } from '../../core/multiserver.ts'
import { fromDuplex, toDuplex } from '../../plugs/streams.ts'
import { failure } from '../support/failure.ts'
import { connectConnections } from './connections.ts'

async function collectText(connection: Connection): Promise<string> {
  let text = ''
  for await (const chunk of connection) text += new TextDecoder().decode(chunk)
  return text
}

describe('toDuplex', () => {
  it('works with pipeline, both ways, and is closed after both ends', async () => {
    const { client, server } = await connectConnections({ shs: true })
    const [near, far] = [toDuplex(client), toDuplex(server)]
    const received: Buffer[] = []
    const keep = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        received.push(chunk)
        callback()
      },
    })
    const bytes = Buffer.alloc(3_000_000, 'pipeline')
    await Promise.all([
      pipeline(far, new PassThrough(), far),
      pipeline(Readable.from([bytes]), near, keep),
      once(near, 'close'),
    ])
    expect(Buffer.concat(received).equals(bytes)).toBe(true)
    await Promise.all([client.closed, server.closed])
    expect([client.error, server.error]).toEqual([undefined, undefined])
  })

  it('goes on reading after its end', async () => {
    const { client, server } = await connectConnections()
    const near = toDuplex(client)
    near.end('question')
    expect(await collectText(server)).toBe('question')
    await server.write(fromText('answer'))
    void server.end()
    expect(String(await near.toArray())).toBe('answer')
  })

  it('sends together what was written together', async () => {
    const { client, server } = await connectConnections()
    const near = toDuplex(client)
    near.cork()
    for (const word of ['many ', 'small ', 'writes']) near.write(word)
    near.uncork()
    expect(Buffer.from((await server.read()) ?? []).toString()).toBe('many small writes')
    near.destroy()
  })

  it('holds its writer back while nobody reads', async () => {
    const { client } = await connectConnections()
    const near = toDuplex(client)
    const chunk = Buffer.alloc(64 * 1024)
    for (let count = 0; count < 10; count++) near.write(chunk)
    expect(near.writableNeedDrain).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(near.writableNeedDrain).toBe(true)
    near.destroy()
    await client.closed
  })

  it('aborts the connection when it is destroyed, with its error', async () => {
    const { client, server } = await connectConnections()
    const enough = new Error('enough')
    const near = toDuplex(client)
    near.destroy(enough)
    await client.closed
    expect(client.error).toMatchObject({ code: 'ABORTED', cause: enough })
    await failure(server.read())
  })

  it.each([
    ['reads', (duplex: Duplex) => void duplex.resume()],
    ['writes', (duplex: Duplex) => void duplex.write('x')],
    ['does nothing', () => undefined],
  ])(
    'is destroyed with the error of a lost connection, and nothing is thrown, while it %s',
    async (_what, use) => {
      const { client, server } = await connectConnections()
      const near = toDuplex(client)
      use(near)
      server.abort()
      await once(near, 'close').catch(() => undefined)
      expect(near.errored).toMatchObject({ code: 'CONNECTION_LOST' })
    },
  )

  it('loses nothing of what came before a clean end that it heard of late', async () => {
    const { client, server } = await connectConnections()
    const near = toDuplex(client)
    near.end()
    await server.read()
    await server.write(fromText('last words'))
    await server.end()
    await Promise.all([client.closed, server.closed])
    expect(String(await near.toArray())).toBe('last words')
  })
})

describe('fromDuplex', () => {
  it('rejects reads and writes with the error of the duplex', async () => {
    const duplex = new PassThrough()
    const stream = fromDuplex(duplex)
    const broken = new Error('broken')
    duplex.destroy(broken)
    expect(await failure(stream.read())).toMatchObject({ code: 'CONNECTION_LOST', cause: broken })
    expect(await failure(stream.write(fromText('x')))).toMatchObject({ cause: broken })
    await stream.closed
  })

  it('takes a duplex that is destroyed without an error for a broken one', async () => {
    const duplex = new PassThrough()
    const stream = fromDuplex(duplex)
    duplex.destroy()
    expect(await failure(stream.read())).toMatchObject({ code: 'CONNECTION_LOST' })
    await stream.closed
  })

  it('reads what came before the end', async () => {
    const duplex = new PassThrough()
    const stream = fromDuplex(duplex)
    duplex.end('everything')
    expect(await stream.read()).toEqual(fromText('everything'))
    expect(await stream.read()).toBeNull()
    await stream.closed
  })

  it('pauses a duplex that nobody reads from', async () => {
    const duplex = new PassThrough()
    const stream = fromDuplex(duplex)
    const writing = vi.fn()
    duplex.on('drain', writing)
    while (duplex.write(Buffer.alloc(256 * 1024)));
    await vi.waitFor(() => expect(duplex.isPaused()).toBe(true))
    while (duplex.isPaused()) await stream.read()
    await vi.waitFor(() => expect(writing).toHaveBeenCalled())
    stream.abort()
    await stream.closed
  })

  it('refuses a duplex of objects', async () => {
    const duplex = new PassThrough({ objectMode: true })
    const stream = fromDuplex(duplex)
    duplex.write({ type: 'object' })
    await expect(stream.read()).rejects.toThrow('gives Buffers')
    await stream.closed
  })
})
