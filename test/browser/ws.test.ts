import { describe, expect, inject, it } from 'vitest'
import { limits } from '../../core/limits.ts'
import type { ByteStream } from '../../core/types.ts'
import ws from '../../plugs/ws.browser.ts'
import { isSettled } from '../conformance/case.ts'
import { listen } from '../conformance/transport-cases.ts'
import { failure } from '../support/failure.ts'
import { withRemoteListener } from './remote-transport.ts'

const chunk = new Uint8Array(256 * 1024)

describe("a browser's WebSocket", () => {
  it('holds the page back while Node does not read, and lets it go on', async () => {
    const { page, node } = await connect()
    // The sockets of two processes hold some.
    const most = 32 * 1024 * 1024
    let written = 0
    const stop = new AbortController()
    const writing = (async () => {
      while (!stop.signal.aborted && written < 2 * most) {
        await page.write(chunk)
        written += chunk.length
      }
    })()
    // What is on its way may still settle; then it stands.
    for (let before = -1; before !== written;) {
      before = written
      await isSettled(writing, 300)
    }
    expect(written).toBeLessThan(most)
    stop.abort()
    const expected = written + chunk.length
    const ending = writing.then(() => page.end())
    let read = 0
    for (let bytes = await node.read(); bytes !== null; bytes = await node.read()) read += bytes.length
    expect(read).toBe(expected)
    await ending
    await Promise.all([page.closed, node.closed])
  }, 30_000)

  it('ends with RECEIVE_OVERFLOW when more arrives than may wait unread', async () => {
    const { page, node } = await connect()
    const most = limits.connection.unpausableReceiveBytes
    let written = 0
    const writing = (async () => {
      for (;;) {
        await node.write(chunk)
        written += chunk.length
        expect(written).toBeLessThan(16 * most)
      }
    })()
    await failureOf(writing)
    expect(written).toBeGreaterThanOrEqual(most - chunk.length)
    await page.closed
    expect((await failure(page.read())).code).toBe('RECEIVE_OVERFLOW')
    expect((await failure(page.write(chunk))).code).toBe('RECEIVE_OVERFLOW')
    await node.closed
  }, 30_000)

  it('takes as much as may wait, when it is read in the end', async () => {
    const { page, node } = await connect()
    const bytes = limits.connection.unpausableReceiveBytes / 2
    for (let written = 0; written < bytes; written += chunk.length) await node.write(chunk)
    await node.end()
    await node.closed
    let read = 0
    for (let next = await page.read(); next !== null; next = await page.read()) read += next.length
    expect(read).toBe(bytes)
  }, 30_000)
})

async function connect(): Promise<{ page: ByteStream; node: ByteStream }> {
  const { dial, accepted, listener } = await listen({
    create: () => withRemoteListener(ws(), inject('wsHostUrl')),
    deadSection: '',
  })
  const [page, node] = [await dial(), await accepted()]
  await listener.close()
  return { page, node }
}

/** Any error: those of the other process come without their class. */
async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('it did not reject')
    },
    (error: Error) => {
      if (error.name === 'AssertionError') throw error
      return error
    },
  )
}
