import { expect, test } from 'vitest'
import { Forwarder } from '../../cli/services/forwarder.ts'
import { openServerSession } from '../../cli/services/http2.ts'
import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import type { ByteStream } from '../../core/types.ts'
import { connectTcp, fateOf, serveTcp } from './services.ts'

const waitMs = 10_000

test('a connection that nobody has answered is reset at once when it is told to stop', async () => {
  const [near, far] = connectionsOf(createPair())
  const asked = new Promise((resolve) => openServerSession(far).once('stream', resolve))
  const stopped = new AbortController()
  const forwarder = forwarderOver(near)
  const running = forwarder.run(stopped.signal)
  const accepted: Promise<void>[] = []
  const port = await serveTcp((socket) => void accepted.push(forwarder.accept(socket)))
  const fate = fateOf(await connectTcp(port))
  await asked
  const stoppedAt = performance.now()
  stopped.abort()
  await running
  // It does not look again and again at what is over, for as long as a connection may wait.
  expect(performance.now() - stoppedAt).toBeLessThan(waitMs / 2)
  await Promise.all(accepted)
  expect(await fate).toBe('reset')
})

function forwarderOver(connection: Connection): Forwarder {
  return new Forwarder({
    dial: async () => connection,
    waitMs,
    onConnected: () => undefined,
    onFailed: (error) => {
      throw error
    },
  })
}

function connectionsOf([near, far]: [ByteStream, ByteStream]): [Connection, Connection] {
  const facts = { address: 'memory:test', strength: 2 }
  return [
    new Connection(near, { ...facts, role: 'client' }),
    new Connection(far, { ...facts, role: 'server' }),
  ]
}
