import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { rawSocket } from '../../../bench/hub/raw-socket.ts'
import hub from '../../../signal-server/index.ts'
import { connectTo, start } from './started.ts'

/** No rate gives anything back while a test runs. */
const limits = { requestsBurstPerAddress: 3, requestsPerSecondPerAddress: 0.001 }

const requestOf = (path: string, header = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n`

/** The answers that a socket has got when the hub closes it. */
async function answersTo(socket: Socket): Promise<string[]> {
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
  await once(socket, 'close')
  return heard.split(/(?=HTTP\/1\.1 )/)
}

describe('an address over its rate of requests', () => {
  it.each(['/livez', '/limits', '/nowhere'])(
    'is told when to come back and let go, as one that asks for %s',
    async (path) => {
      const started = await start({ limits })
      const socket = rawSocket(started.url)
      const answers = answersTo(socket)
      for (let asked = 0; asked < 4; asked += 1) {
        socket.write(requestOf(path))
        await once(socket, 'data')
      }
      expect((await answers).at(-1)).toMatch(
        /^HTTP\/1\.1 429 .*^connection: close\r$.*^retry-after: \d+\r$/ims,
      )
      // It may still be introduced, and others are answered.
      await connectTo(started).next('welcome')
      const other = rawSocket(started.url, '127.0.0.2')
      other.write(requestOf('/livez', 'Connection: close\r\n'))
      expect((await answersTo(other))[0]).toMatch(/^HTTP\/1\.1 200 /)
    },
  )

  it('is cut off when it does not wait for the answer, and nothing that it has sent behind is served', async () => {
    const served: string[] = []
    const started = await start({
      limits,
      extend: (app) => app.get('/served/:number', ({ url }) => served.push(url)),
    })
    const socket = rawSocket(started.url)
    for (let asked = 0; asked < 500; asked += 1) socket.write(requestOf(`/served/${asked}`))
    await once(socket, 'close')
    expect(served).toEqual(['/served/0', '/served/1', '/served/2'])
  })

  it('is a client behind a proxy, whose connection others keep', async () => {
    const started = await start({ limits, trustProxy: ['127.0.0.1'] })
    const socket = rawSocket(started.url)
    const askAs = async (client: string): Promise<string> => {
      socket.write(requestOf('/livez', `X-Forwarded-For: ${client}\r\n`))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      return answer.toString('latin1', 9, 12)
    }
    const statuses = []
    for (const client of [...Array.from({ length: 4 }, () => '192.0.2.1'), '192.0.2.2']) {
      statuses.push(await askAs(client))
    }
    expect(statuses).toEqual(['200', '200', '200', '429', '200'])
    socket.destroy()
  })

  it('is never this machine where the operator says so', async () => {
    const started = await start({ limits, exemptLoopback: true })
    const socket = rawSocket(started.url)
    const last = requestOf('/livez', 'Connection: close\r\n')
    socket.write(requestOf('/livez').repeat(9) + last)
    expect(await answersTo(socket)).toHaveLength(10)
  })
})

it('who asks through a Unix socket has no address, and is answered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'multiserver-hub-'))
  const app = Fastify()
  try {
    await app.register(hub, { limits })
    const socketPath = join(folder, 'hub')
    await app.listen({ path: socketPath })
    const asked = request({ socketPath, path: '/livez', headers: { host: 'localhost' } }).end()
    const [{ statusCode }] = await once(asked, 'response')
    expect(statusCode).toBe(200)
  } finally {
    await app.close()
    rmSync(folder, { recursive: true })
  }
})
