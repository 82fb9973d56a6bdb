import { describe, expect, it } from 'vitest'
import { MultiServer } from '../../core/multiserver.ts'
import memory from '../../plugs/memory.ts'
import { failure } from '../support/failure.ts'
import { dial, listen } from '../support/listening.ts'

describe('memory', () => {
  it('prints its name for this device only', () => {
    const transport = memory({ name: 'a:b' })
    expect(transport.addresses('device')).toEqual(['memory:a:b'])
    expect([...transport.addresses('local'), ...transport.addresses('public')]).toEqual([])
    expect(memory().addresses('device')).toEqual([])
  })

  it('only dials without a name', () => {
    expect(memory()).not.toHaveProperty('listen')
  })

  it.each(['memory', 'memory:', 'memory2:a', 'net:a:1'])('does not understand %s', (section) => {
    expect(memory().parse(section)).toBeNull()
  })

  it('reaches a name with separators in it', async () => {
    const name = 'a;b~c:d!e'
    const server = MultiServer([memory({ name })])
    const close = server.server((connection) => void connection.close())
    await close.listening
    const connection = await MultiServer([memory()]).client(server.stringify())
    expect(await connection.read()).toBeNull()
    await connection.close()
    await close()
  })

  it('says CONNECT_FAILED where nobody listens', async () => {
    expect(await failure(dial(memory(), 'memory:nobody at all'))).toMatchObject({
      code: 'CONNECT_FAILED',
      message: expect.stringContaining('nobody at all'),
    })
  })

  it('says LISTEN_FAILED for a name in use, which then goes on', async () => {
    const first = await listen(memory({ name: 'taken' }))
    expect(await failure(listen(memory({ name: 'taken' })))).toMatchObject({ code: 'LISTEN_FAILED' })
    ;(await dial(memory(), 'memory:taken')).abort()
    expect(first.accepted).toHaveLength(1)
    await first.listener.close()
  })

  it('closes its own listening only, however often', async () => {
    const first = await listen(memory({ name: 'again' }))
    await first.listener.close()
    const second = await listen(memory({ name: 'again' }))
    await first.listener.close()
    ;(await dial(memory(), 'memory:again')).abort()
    expect(second.accepted).toHaveLength(1)
    await second.listener.close()
  })
})
