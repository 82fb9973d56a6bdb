import { describe, expect, it, vi } from 'vitest'
import { fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { createPair } from '../../core/pair.ts'
import type { Transport } from '../../core/types.ts'
import { generateKeys, keyToString } from '../../plugs/keys.ts'
import shs from '../../plugs/shs/index.ts'
import { fromPull, toPull, type PullCallback, type PullDuplex } from '../../plugs/streams.ts'
import { toPull as toPullInBrowsers } from '../../plugs/streams.browser.ts'
import { failure } from '../support/failure.ts'
import { connectConnections } from './connections.ts'
import { collect, disguise, pull, pullPair } from './pull-streams.ts'

describe('toPull', () => {
  it('gives Buffers, and what the connection knows of its far side', async () => {
    const { client, server } = await connectConnections({ shs: true })
    const stream = toPull(server)
    expect(stream.address).toBe(server.address)
    expect(stream.remote).toEqual(Buffer.from(server.remote ?? []))
    expect(stream.remote).toBeInstanceOf(Buffer)
    expect(stream.auth).toBe('welcome')
    expect('meta' in stream).toBe(true)
    pull(pull.values(['a text ', Buffer.from('and bytes')]), toPull(client))
    const chunks = await collect(stream.source)
    expect(chunks.toString()).toBe('a text and bytes')
    expect(Buffer.isBuffer(chunks)).toBe(true)
    client.abort()
  })

  it('can be used by its halves', async () => {
    const { client, server } = await connectConnections()
    const { source, sink } = toPull(server)
    pull(
      source,
      pull.map((chunk) => chunk),
      sink,
    )
    pull(pull.values(['there and back']), toPull(client).sink)
    expect((await collect(toPull(client).source)).toString()).toBe('there and back')
    await Promise.all([client.closed, server.closed])
    expect([client.error, server.error]).toEqual([undefined, undefined])
  })

  it('ends what it writes, and still reads, when its sink is ended', async () => {
    const { client, server } = await connectConnections()
    pull(pull.values(['question']), toPull(client).sink)
    for await (const chunk of server) void chunk
    await server.write(fromText('late answer'))
    void server.end()
    expect((await collect(toPull(client).source)).toString()).toBe('late answer')
  })

  it('aborts the connection when its source is aborted, and calls back when it is gone', async () => {
    const { client, server } = await connectConnections()
    const { source } = toPull(client)
    const [waiting, aborted] = [vi.fn(), vi.fn()]
    source(null, waiting)
    await new Promise<void>((resolve) => {
      source(true, (end) => {
        aborted(end)
        resolve()
      })
    })
    expect(waiting).toHaveBeenCalledExactlyOnceWith(true)
    expect(aborted).toHaveBeenCalledExactlyOnceWith(true)
    expect(client.error).toMatchObject({ code: 'ABORTED' })
    expect(await failure(server.read())).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('aborts the connection with the error that its sink is ended with', async () => {
    const { client, server } = await connectConnections()
    const broken = new Error('broken')
    pull(pull.error(broken), toPull(client).sink)
    await client.closed
    expect(client.error).toMatchObject({ code: 'ABORTED', cause: broken })
    await failure(server.read())
  })

  it('ends its source with the error of the connection, and stops whoever feeds its sink', async () => {
    const { client, server } = await connectConnections()
    const stream = toPull(client)
    const feeder = vi.fn()
    stream.sink(feeder)
    server.abort()
    await expect(collect(stream.source)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await vi.waitFor(() => expect(feeder).toHaveBeenCalledTimes(2))
    expect(feeder.mock.calls.map(([abort]) => abort as unknown)).toEqual([null, expect.anything()])
  })

  it('asks for no more than the connection takes', async () => {
    const { client, server } = await connectConnections()
    let given = 0
    const endless = (_abort: unknown, callback: PullCallback<Buffer>) => {
      given += 1
      callback(null, Buffer.alloc(64 * 1024))
    }
    toPull(client).sink(endless)
    for (let before = -1; before !== given;) {
      before = given
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(given).toBeLessThan(64)
    const held = given
    await server.read()
    await server.read()
    await server.read()
    await vi.waitFor(() => expect(given).toBeGreaterThan(held))
    client.abort()
  })

  it('refuses what is neither bytes nor text', async () => {
    const { client } = await connectConnections()
    pull(pull.values([{ type: 'object' }]), toPull(client).sink)
    await client.closed
    expect(client.error?.message).toContain('carries Buffers')
  })

  it('gives Uint8Arrays in browsers', async () => {
    const { client, server } = await connectConnections()
    await client.write(fromText('plain'))
    const chunk = await new Promise((resolve) => {
      toPullInBrowsers(server).source(null, (_end, bytes) => resolve(bytes))
    })
    expect(Buffer.isBuffer(chunk)).toBe(false)
    expect(chunk).toEqual(fromText('plain'))
    client.abort()
  })
})

describe('fromPull', () => {
  it('gives back what toPull was made of, as long as nobody has changed it', async () => {
    const { client } = await connectConnections()
    const stream = toPull(client)
    expect(fromPull(stream)).toBe(client)
    expect(fromPull({ ...stream })).toBe(client)
    expect(fromPull(disguise(stream))).not.toBe(client)
    expect(fromPull({ ...stream, source: disguise(stream).source })).not.toBe(client)
    client.abort()
  })

  it('rejects reads with the error of the source, after what came before it', async () => {
    const broken = new Error('the tunnel fell in')
    const chunks = [Buffer.from('before')]
    const stream = fromPull({
      source: (_abort, callback) => (chunks.length > 0 ? callback(null, chunks.shift()) : callback(broken)),
      sink: () => undefined,
    })
    expect(await stream.read()).toEqual(fromText('before'))
    expect(await failure(stream.read())).toMatchObject({ message: 'the tunnel fell in', cause: broken })
    expect(await failure(stream.write(fromText('x')))).toMatchObject({ cause: broken })
    await stream.closed
  })

  it('rejects writes when the sink takes no more, and still reads', async () => {
    const stream = fromPull({
      source: (_abort, callback) => callback(null, Buffer.from('still here')),
      sink: (source) => source(true, () => undefined),
    })
    expect(await failure(stream.write(fromText('x')))).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await stream.read()).toEqual(fromText('still here'))
    stream.abort()
  })

  it('aborts both halves with its reason, though the source never answers', async () => {
    const reason = new Error('enough')
    const [asked, taken] = [vi.fn<PullDuplex['source']>(), vi.fn()]
    const stream = fromPull({ source: asked, sink: (source) => source(null, taken) })
    const reading = stream.read()
    stream.abort(reason)
    await expect(reading).rejects.toBe(reason)
    expect(asked.mock.calls.map(([abort]) => abort)).toEqual([null, reason])
    await vi.waitFor(() => expect(taken).toHaveBeenCalledExactlyOnceWith(reason))
    await stream.closed
  })

  it('asks the source only when somebody reads', () => {
    const source = vi.fn<PullDuplex['source']>()
    const stream = fromPull({ source, sink: () => undefined })
    expect(source).not.toHaveBeenCalled()
    void stream.read().catch(() => undefined)
    expect(source).toHaveBeenCalledTimes(1)
    stream.abort()
  })

  it('keeps what it was given from those who gave it', async () => {
    const chunk = Buffer.from('mine')
    const stream = fromPull({ source: (_abort, callback) => callback(null, chunk), sink: () => undefined })
    const read = await stream.read()
    read?.fill(0)
    expect(chunk.toString()).toBe('mine')
    stream.abort()
  })

  it('names the address of the pull-stream', () => {
    const [end] = createPair()
    const stream = fromPull({ ...disguise(toPullInBrowsers(end as never)), address: 'tunnel:somewhere' })
    expect(stream.info?.address).toBe('tunnel:somewhere')
    stream.abort()
  })

  it('makes a transport of a tunnel that somebody has opened, which carries shs', async () => {
    const [near, far] = pullPair()
    const keys = await generateKeys()
    const secured = shs({ keys }).accept(fromPull(far), { signal: new AbortController().signal })
    // As docs/migrating.md has it.
    const openTunnel = (_section: string) => Promise.resolve(near)
    const tunnel: Transport = {
      name: 'tunnel',
      halfClose: true,
      parse: (section) =>
        section.startsWith('tunnel:') ? { dial: async () => fromPull(await openTunnel(section)) } : null,
      addresses: () => [],
    }
    const ms = MultiServer([[tunnel, shs({ keys: await generateKeys() })]])
    const connection = await ms.client(`tunnel:portal:target~shs:${keyToString(keys.publicKey)}`)
    const { stream } = await secured
    await connection.write(fromText('through the tunnel'))
    expect(await stream.read()).toEqual(fromText('through the tunnel'))
    expect(connection.remote).toEqual(keys.publicKey)
    await Promise.all([connection.close(), stream.read().then(() => stream.end())])
    expect(connection.error).toBeUndefined()
  })
})
