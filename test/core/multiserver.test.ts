import { describe, expect, it, vi } from 'vitest'
import { MultiServer, type Connection, type StackInput } from '../../core/multiserver.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { Transport } from '../../core/types.ts'
import memory from '../../plugs/memory.ts'
import { deferred } from '../support/deferred.ts'
import { keyText, settle, stagedNoauth, stagedTransform, stagedTransport } from './staged.ts'

const key = keyText(1)

describe('MultiServer', () => {
  it.each([
    ['a transform first', [[stagedTransform('shs', 1), memory()]]],
    ['two transports', [[memory(), memory()]]],
    ['nothing', [[]]],
    ['no plug', [undefined]],
    ['a plug that was not called', [memory]],
  ])('refuses a stack of %s with STACK_INVALID', (_what, stacks) => {
    expect(() => MultiServer(stacks as unknown as StackInput[])).toThrow(
      expect.objectContaining({ code: 'STACK_INVALID' }),
    )
  })

  it('takes a bare plug as a stack of one', () => {
    expect(MultiServer([memory()]).status().stacks).toEqual([{ name: 'memory', state: 'idle' }])
  })

  it('parses an address by the grammar, whatever its stacks', () => {
    const server = MultiServer([memory()])
    expect(server.parse(`net:h:1~shs:${key};pigeon`)).toHaveLength(2)
    const invalid = expect.objectContaining({ code: 'ADDRESS_INVALID' })
    expect(() => server.parse('~')).toThrow(invalid)
    expect(() => server.parse(`net:h:1~shs:${key};net:h:1~shs:${keyText(2)}`)).toThrow(invalid)
  })
})

describe('client() with a callback', () => {
  it('calls back once with the connection', async () => {
    const { server, net } = createServer()
    const callback = vi.fn()
    const abort = server.client('net:h:1', callback)
    net.dials[0]?.connect()
    await settle()
    abort()
    await settle()
    expect(callback.mock.calls).toEqual([[null, expect.objectContaining({ address: 'net:h:1' })]])
  })

  it('calls back once with the error', async () => {
    const { server } = createServer()
    const callback = vi.fn()
    server.client('pigeon:1', callback)
    await settle()
    expect(callback.mock.calls).toEqual([[expect.objectContaining({ code: 'NO_STACK_FITS' })]])
  })

  it('aborts by the function that it returns, and calls back once', async () => {
    const { server, net } = createServer()
    const callback = vi.fn()
    const abort = server.client('net:h:1', callback)
    abort()
    abort()
    await settle()
    expect(callback.mock.calls).toEqual([[expect.objectContaining({ code: 'ABORTED' })]])
    expect(net.dials[0]?.context.signal.aborted).toBe(true)
  })

  it('takes options before the callback, and obeys their signal too', async () => {
    const { server } = createServer()
    const controller = new AbortController()
    const result = deferred<MultiserverError | null>()
    server.client('net:h:1', { signal: controller.signal }, result.resolve)
    controller.abort()
    expect(await result.promise).toMatchObject({ code: 'ABORTED' })
  })

  it('never calls back in the turn in which it was called', () => {
    const { server } = createServer()
    const callback = vi.fn()
    server.client('', callback)
    expect(callback).not.toHaveBeenCalled()
  })
})

describe('stringify()', () => {
  it('prints each section of a scope with the transforms behind it', () => {
    const transport: Transport = {
      ...stagedTransport(),
      addresses: (scope) => ({ device: ['staged:d'], local: ['staged:l1', 'staged:l2'], public: [] })[scope],
    }
    const server = MultiServer([
      [transport, stagedTransform('shs', 1)],
      [transport, stagedNoauth()],
      transport,
    ])
    expect(server.stringify()).toBe(`staged:d~shs:${key};staged:d~noauth;staged:d`)
    expect(server.stringify('local')).toBe(
      `staged:l1~shs:${key};staged:l2~shs:${key};staged:l1~noauth;staged:l2~noauth;staged:l1;staged:l2`,
    )
    expect(server.stringify('private')).toBe(server.stringify('local'))
    expect(server.stringify('public')).toBe('')
  })

  it('prints nothing for a transform without a key of its own', () => {
    const keyless = { ...stagedTransform('shs', 1), section: () => '' }
    expect(MultiServer([[memory({ name: 'stringified' }), keyless]]).stringify()).toBe('')
  })

  it('prints what the listener knows once it listens, and no longer', async () => {
    const transport: Transport = {
      ...stagedTransport(),
      listen: () =>
        Promise.resolve({ addresses: () => ['staged:real port'], close: () => Promise.resolve() }),
    }
    const server = MultiServer([transport])
    expect(server.stringify()).toBe('')
    const close = server.server(() => undefined)
    await close.listening
    expect(server.stringify()).toBe('staged:real port')
    await close()
    expect(server.stringify()).toBe('')
  })

  it('prints what parses to the same again', () => {
    const server = MultiServer([[memory({ name: 'a;b~c:d!e' }), stagedNoauth()]])
    expect(server.stringify()).toBe('memory:a!;b!~c:d!!e~noauth')
    expect(server.parse(server.stringify())).toEqual([
      [
        { name: 'memory', data: ['a;b~c', 'd!e'] },
        { name: 'noauth', data: [] },
      ],
    ])
  })
})

describe('status()', () => {
  it('tells what listens and what is connected', async () => {
    const server = MultiServer([memory({ name: 'status test' }), stagedTransport()])
    const states = () => server.status().stacks.map((stack) => stack.state)
    expect(states()).toEqual(['idle', 'idle'])
    const accepted = deferred<Connection>()
    const close = server.server(accepted.resolve)
    expect(states()).toEqual(['starting', 'dials only'])
    await close.listening
    expect(states()).toEqual(['listening', 'dials only'])
    const dialed = await server.client('memory:status test')
    await accepted.promise
    expect(server.status().connections).toEqual([
      { address: 'memory', role: 'server', path: undefined },
      { address: 'memory:status test', role: 'client', path: undefined },
    ])
    await Promise.all([dialed.close(), close()])
    await settle()
    expect(server.status().connections).toEqual([])
    expect(states()).toEqual(['idle', 'idle'])
  })
})

function createServer() {
  const net = stagedTransport('net')
  return { net, server: MultiServer([net]) }
}
