import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromText } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { createPair } from '../../core/pair.ts'
import type { ByteStream, ListenContext, Transform, Transport } from '../../core/types.ts'
import memory from '../../plugs/memory.ts'
import { deferred } from '../support/deferred.ts'
import { failure } from '../support/failure.ts'
import { keyBytes, keyText, settle, stagedTransform, stagedTransport } from './staged.ts'

const printed = vi.spyOn(console, 'error')
beforeEach(() => void printed.mockReset().mockImplementation(() => undefined))
afterEach(() => expect(printed).not.toHaveBeenCalled())

describe('server()', () => {
  it('accepts at every stack', async () => {
    const [one, two] = [uniqueName(), uniqueName()]
    const server = MultiServer([memory({ name: one }), memory({ name: two })])
    const accepted: Connection[] = []
    const close = server.server((connection) => accepted.push(connection))
    await close.listening
    const dialed = [await server.client(`memory:${one}`), await server.client(`memory:${two}`)]
    expect(accepted.map((connection) => connection.role)).toEqual(['server', 'server'])
    for (const connection of dialed) void connection.close()
    await close()
  })

  it('gives each connection what its transforms proved', async () => {
    const name = uniqueName()
    const server = MultiServer([[memory({ name }), stagedTransform('shs', 1)]])
    const accepted = deferred<Connection>()
    const close = server.server(accepted.resolve)
    const dialed = await server.client(`memory:${name}~shs:${keyText(1)}`)
    expect(await accepted.promise).toMatchObject({
      address: `memory~shs:${keyText(2)}`,
      role: 'server',
      strength: 1,
      remote: keyBytes(2),
    })
    dialed.abort()
    await close()
  })

  it('leaves the other stacks up when one can not listen, and says which and why', async () => {
    const name = uniqueName()
    const server = MultiServer([brokenTransport('port in use'), memory({ name }), brokenTransport('no')])
    const onError = vi.fn()
    const close = server.server((connection) => void connection.close(), onError)
    const error = await failure(close.listening)
    expect(error).toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringMatching(/port in use.*no/),
      causes: [
        { code: 'LISTEN_FAILED', message: 'port in use', address: 'broken' },
        { code: 'LISTEN_FAILED', message: 'no', address: 'broken' },
      ],
    })
    expect(onError.mock.calls).toEqual([[error]])
    expect(server.status().stacks.map((stack) => stack.state)).toEqual(['failed', 'listening', 'failed'])
    expect(server.status().stacks[0]?.error).toMatchObject({ message: 'port in use' })
    const dialed = await server.client(`memory:${name}`)
    await dialed.close()
    await close()
  })

  it('prints errors of listening when nobody else hears them, and none of single connections', async () => {
    const name = uniqueName()
    const close = MultiServer([
      brokenTransport('port in use'),
      [memory({ name }), refusingTransform()],
    ]).server(() => undefined)
    await failure(close.listening)
    expect(printed).toHaveBeenCalledOnce()
    expect(printed).toHaveBeenCalledWith('multiserver: LISTEN_FAILED: broken: port in use')
    const dialed = await MultiServer([memory()]).client(`memory:${name}`)
    await expect(dialed.read()).rejects.toBeDefined()
    await close()
    expect(printed).toHaveBeenCalledOnce()
    printed.mockClear()
  })

  it('tells onError of a connection that failed before it was one', async () => {
    const name = uniqueName()
    const onError = vi.fn()
    const close = MultiServer([[memory({ name }), refusingTransform()]]).server(() => undefined, onError)
    const dialed = await MultiServer([memory()]).client(`memory:${name}`)
    await expect(dialed.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(onError.mock.calls).toMatchObject([[{ code: 'AUTH_REFUSED', address: 'memory' }]])
    await close()
  })

  it('aborts the connection, and stays up, when onConnection throws', async () => {
    const name = uniqueName()
    const onError = vi.fn()
    const server = MultiServer([memory({ name })])
    const thrown = new Error('a bug of the application')
    const close = server.server(() => {
      throw thrown
    }, onError)
    for (let round = 0; round < 2; round++) {
      const dialed = await server.client(`memory:${name}`)
      await expect(dialed.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    }
    expect(onError.mock.calls).toMatchObject([[{ cause: thrown }], [{ cause: thrown }]])
    await close()
  })

  it('survives an asynchronous onConnection whose connection breaks, or that has a bug', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const name = uniqueName()
    const errors: MultiserverError[] = []
    const thrown = new Error('a bug of the application')
    const server = MultiServer([memory({ name })])
    const close = server.server(
      async (connection) => {
        while ((await connection.read()) !== null);
        throw thrown
      },
      (error) => errors.push(error),
    )
    const breaking = await server.client(`memory:${name}`)
    breaking.abort()
    const ending = await server.client(`memory:${name}`)
    void ending.end()
    await expect(ending.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(errors).toMatchObject([{ code: 'CONNECTION_LOST' }, { code: 'ABORTED', cause: thrown }])
    await close()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('does not print that the connection of an asynchronous onConnection broke', async () => {
    const name = uniqueName()
    const server = MultiServer([memory({ name })])
    const handled = deferred<unknown>()
    const close = server.server(async (connection) => {
      await connection.read().catch((error: unknown) => {
        handled.resolve(error)
        throw error
      })
    })
    const breaking = await server.client(`memory:${name}`)
    breaking.abort()
    expect(await handled.promise).toMatchObject({ code: 'CONNECTION_LOST' })
    await close()
  })

  it('passes on what a listener says later', async () => {
    let context: ListenContext | undefined
    const transport: Transport = {
      ...stagedTransport(),
      listen(_accept, given) {
        context = given
        return Promise.resolve({ addresses: () => [], close: () => Promise.resolve() })
      },
    }
    const onError = vi.fn()
    const close = MultiServer([transport]).server(() => undefined, onError)
    await close.listening
    const lost = new MultiserverError('HUB_LOST')
    context?.onError(lost)
    expect(onError.mock.calls).toEqual([[lost]])
    await close()
  })

  it('gives a transport the first identity of its transforms, and their names', async () => {
    let context: ListenContext | undefined
    const identity = { publicKey: keyBytes(1), sign: () => keyBytes(0), dh: () => keyBytes(0) }
    const transport: Transport = {
      ...stagedTransport(),
      listen(_accept, given) {
        context = given
        return Promise.resolve({ addresses: () => [], close: () => Promise.resolve() })
      },
    }
    const shs = { ...stagedTransform('shs', 1), identity }
    const close = MultiServer([[transport, stagedTransform('other', 0), shs]]).server(() => undefined)
    await close.listening
    expect(context?.identity).toBe(identity)
    expect(context?.transforms).toEqual(['other', 'shs'])
    await close()
  })

  it('calls onListening once, with null or with the error', async () => {
    const good = vi.fn()
    const closeGood = MultiServer([memory({ name: uniqueName() })]).server(() => undefined, null, good)
    await closeGood.listening
    await settle()
    expect(good.mock.calls).toEqual([[null]])
    await closeGood()
    const bad = vi.fn()
    const closeBad = MultiServer([brokenTransport('no')]).server(
      () => undefined,
      () => undefined,
      bad,
    )
    const error = await failure(closeBad.listening)
    await settle()
    expect(bad.mock.calls).toEqual([[error]])
    await closeBad()
  })

  it('is LISTEN_FAILED where no stack can listen', async () => {
    const onError = vi.fn()
    const close = MultiServer([memory()]).server(() => undefined, onError)
    expect(await failure(close.listening)).toMatchObject({ code: 'LISTEN_FAILED' })
    expect(onError).toHaveBeenCalledOnce()
    await close()
  })

  it('starts again after it was closed', async () => {
    const name = uniqueName()
    const server = MultiServer([memory({ name })])
    for (let round = 0; round < 2; round++) {
      const close = server.server((connection) => void connection.close())
      await close.listening
      await (await server.client(`memory:${name}`)).close()
      await close()
    }
  })
})

describe('close()', () => {
  it('stops accepting, ends open connections, and resolves when they are released', async () => {
    const name = uniqueName()
    const server = MultiServer([memory({ name })])
    const accepted = deferred<Connection>()
    const close = server.server(accepted.resolve)
    const dialed = await server.client(`memory:${name}`)
    const connection = await accepted.promise
    let closed = false
    const closing = close().then(() => (closed = true))
    expect(await dialed.read()).toBeNull()
    expect(await failure(server.client(`memory:${name}`))).toMatchObject({ code: 'DIAL_FAILED' })
    expect(closed).toBe(false)
    await dialed.end()
    await closing
    await connection.closed
    expect(connection.error).toBeUndefined()
    await dialed.closed
  })

  it('gives up peers that do not end within lingerMs', async () => {
    const name = uniqueName()
    const server = MultiServer([memory({ name })], { lingerMs: 1 })
    const accepted = deferred<Connection>()
    const close = server.server(accepted.resolve)
    const dialed = await server.client(`memory:${name}`)
    await close()
    expect((await accepted.promise).error).toMatchObject({ code: 'TIMEOUT' })
    await dialed.closed
  })

  it('calls back, and is the same when called again', async () => {
    const close = MultiServer([memory({ name: uniqueName() })]).server(() => undefined)
    const callback = vi.fn()
    await Promise.all([close(callback), close(callback)])
    await close(callback)
    expect(callback).toHaveBeenCalledTimes(3)
  })

  it('closes a listener that is still starting', async () => {
    const started = deferred<void>()
    const closeListener = vi.fn(() => Promise.resolve())
    const transport: Transport = {
      ...stagedTransport(),
      async listen() {
        await started.promise
        return { addresses: () => ['staged:1'], close: closeListener }
      },
    }
    const server = MultiServer([transport])
    const close = server.server(() => undefined)
    const closing = close()
    await settle()
    started.resolve()
    await closing
    expect(closeListener).toHaveBeenCalled()
    expect(await failure(close.listening)).toMatchObject({ code: 'ABORTED' })
    expect(server.stringify()).toBe('')
  })

  it('tells a transport that is still starting', async () => {
    const transport: Transport = {
      ...stagedTransport(),
      listen: (_accept, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')))
        }),
    }
    const close = MultiServer([transport]).server(() => undefined)
    await close()
    expect(await failure(close.listening)).toMatchObject({ code: 'ABORTED' })
  })

  it('aborts handshakes under way', async () => {
    const name = uniqueName()
    const silent: Transform = {
      ...stagedTransform('shs', 1),
      accept: (inner) => inner.read().then(() => ({ stream: inner })),
    }
    const onConnection = vi.fn()
    const close = MultiServer([[memory({ name }), silent]]).server(onConnection)
    const dialed = await MultiServer([memory()]).client(`memory:${name}`)
    await close()
    await expect(dialed.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(onConnection).not.toHaveBeenCalled()
  })

  it('aborts what a transform secures too late', async () => {
    const name = uniqueName()
    const late = deferred<void>()
    const slow: Transform = {
      ...stagedTransform('shs', 1),
      accept: (stream) => late.promise.then(() => ({ stream })),
    }
    const onConnection = vi.fn()
    const close = MultiServer([[memory({ name }), slow]]).server(onConnection)
    const dialed = await MultiServer([memory()]).client(`memory:${name}`)
    const closing = close()
    late.resolve()
    await closing
    await expect(dialed.read()).rejects.toBeDefined()
    expect(onConnection).not.toHaveBeenCalled()
  })
})

describe('handshakes under way', () => {
  it.each([
    ['of one source', 16, () => 'one'],
    ['of all', 64, (number: number) => `source ${number}`],
  ])('%s are at most %i; one more is BUSY', async (_what, most, sourceOf) => {
    const warned = vi.fn()
    process.on('warning', warned)
    let accept: ((stream: ByteStream) => void) | undefined
    const transport: Transport = {
      ...stagedTransport(),
      listen(given) {
        accept = given
        return Promise.resolve({ addresses: () => [], close: () => Promise.resolve() })
      },
    }
    const finish = deferred<void>()
    const slow: Transform = {
      ...stagedTransform('shs', 1),
      accept: (stream) => finish.promise.then(() => ({ stream })),
    }
    const accepted: Connection[] = []
    const onError = vi.fn()
    const close = MultiServer([[transport, slow]]).server((connection) => accepted.push(connection), onError)
    await close.listening
    const knock = (number: number) => {
      const [near, far] = createPair({
        info: [{}, { address: `staged:${number}`, source: sourceOf(number) }],
      })
      accept?.(far)
      return near
    }
    const peers = Array.from({ length: most }, (_, at) => knock(at))
    expect(onError).not.toHaveBeenCalled()
    const refused = knock(most)
    expect(onError.mock.calls).toMatchObject([[{ code: 'BUSY', address: `staged:${most}` }]])
    await expect(refused.read()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    finish.resolve()
    await settle()
    expect(accepted).toHaveLength(most)
    const later = knock(most + 1)
    await settle()
    expect(accepted).toHaveLength(most + 1)
    for (const peer of [...peers, later]) peer.abort()
    await close()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warned)
    // Node would warn of a leak if they all listened to one signal.
    expect(warned).not.toHaveBeenCalled()
  })
})

describe('bytes', () => {
  it('that a client sends at once are there for the server', async () => {
    const name = uniqueName()
    const server = MultiServer([memory({ name })])
    const accepted = deferred<Connection>()
    const close = server.server(accepted.resolve)
    const dialed = await server.client(`memory:${name}`)
    void dialed.write(fromText('hello'))
    void dialed.close()
    const connection = await accepted.promise
    expect(await connection.read()).toEqual(fromText('hello'))
    await close()
  })
})

let names = 0
function uniqueName(): string {
  return `server test ${names++}`
}

function brokenTransport(message: string): Transport {
  return { ...stagedTransport('broken'), listen: () => Promise.reject(new Error(message)) }
}

function refusingTransform(): Transform {
  return {
    ...stagedTransform('shs', 1),
    accept(inner) {
      inner.abort()
      return Promise.reject(new MultiserverError('AUTH_REFUSED'))
    },
  }
}
