import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Net } from '../../compat/plugins/net.ts'
import { Shs, type OldAuth } from '../../compat/plugins/shs.ts'
import type { Close, Stream } from '../../compat/types.ts'
import { deferred } from '../support/deferred.ts'
import { collect, pull } from '../streams/pull-streams.ts'
import { ours, theirs, type Multiserver } from './both.ts'
import { abort, appKey, dial, freePort, keys, oldKeys, start, stop } from './setup.ts'

const ignore = () => undefined

describe.each(['net', 'ws', 'unix'] as const)('over %s~shs', (transport) => {
  describe.each([
    ['a client of ours and a server of 3.8.2', ours, theirs],
    ['a client of 3.8.2 and a server of ours', theirs, ours],
    ['both ours', ours, ours],
  ])('%s', (_who, clients, servers) => {
    const folder = mkdtempSync(join(tmpdir(), 'compat-'))
    let address: string
    let close: Close
    let accept: (stream: Stream) => void
    let auth: OldAuth
    let failures: Error[]

    // One server for all cases, because the unix socket of 3.8.2 listens once in a process.
    beforeAll(async () => {
      const shs = servers.Shs({
        keys: keys.server,
        appKey,
        auth: (key, callback) => auth(key, callback),
        timeout: 2000,
      })
      const multi = servers.MultiServer([[await createTransport(servers), shs]])
      close = await start(
        multi,
        (stream) => accept(stream),
        (error) => failures.push(error),
      )
      address = multi.stringify('device')
    })

    afterAll(async () => {
      // The sockets of 3.8.2 close after their connections, and its unix socket never calls back.
      if (servers === ours) await stop(close)
      else void close()
      rmSync(folder, { recursive: true, force: true })
    })

    async function createTransport({ plugins }: Multiserver) {
      const options =
        transport === 'unix' ? { path: folder } : { scope: 'device' as const, port: await freePort() }
      return plugins[transport](options) as ReturnType<typeof Net>
    }

    async function meet(to = address, options: Partial<Parameters<typeof Shs>[0]> = {}) {
      const accepted = deferred<Stream>()
      accept = accepted.resolve
      failures = []
      auth = options.auth ?? ((_key, callback) => callback(null, { allow: ['everything'] }))
      const shs = clients.Shs({ keys: keys.client, appKey, auth: ignore, timeout: 2000, ...options })
      const client = await dial(clients.MultiServer([[await createTransport(clients), shs]]), to)
      return { client, server: await accepted.promise }
    }

    it('know each other', async () => {
      const { client, server } = await meet()
      expect(client.remote).toEqual(keys.server.publicKey)
      expect(client.auth).toBeUndefined()
      expect(client.address).toContain(`~shs:${keys.server.publicKey.toString('base64')}`)
      expect(server.remote).toEqual(keys.client.publicKey)
      expect(server.auth).toEqual({ allow: ['everything'] })
      expect(server.address).toContain(`~shs:${keys.client.publicKey.toString('base64')}`)
      await abort(client)
    })

    it.each([
      ['nothing', 0, 1],
      ['1 byte', 1, 1],
      ['10 KB', 1, 10_000],
      ['10 MB', 160, 65_536],
      ['many small chunks', 3000, 10],
    ])('carry %s both ways at once, and end with a goodbye', async (_name, count, size) => {
      const { client, server } = await meet()
      const there = Array.from({ length: count }, (_, index) => Buffer.alloc(size, index))
      const back = there.toReversed()
      pull(pull.values(there), client.sink)
      pull(pull.values(back), server.sink)
      const [atClient, atServer] = await Promise.all([collect(client.source), collect(server.source)])
      expect(atServer.equals(Buffer.concat(there))).toBe(true)
      expect(atClient.equals(Buffer.concat(back))).toBe(true)
    })

    it.each(['client', 'server'] as const)('tell each other when the %s aborts', async (who) => {
      const ends = await meet()
      const other = who === 'client' ? ends.server : ends.client
      const reading = expect(collect(other.source)).rejects.toBeInstanceOf(Error)
      await abort(ends[who])
      await reading
    })

    it('do not connect when the server has another key', async () => {
      const stranger = (await oldKeys(99)).publicKey.toString('base64')
      await expect(meet(address.replace(/shs:.*/, `shs:${stranger}`))).rejects.toThrow()
      await expect.poll(() => failures.length).toBe(1)
    })

    it('do not connect with different app keys', async () => {
      await expect(meet(address, { appKey: Buffer.alloc(32, 43) })).rejects.toThrow()
      await expect.poll(() => failures.length).toBe(1)
    })

    it('do not connect when auth says no', async () => {
      await expect(meet(address, { auth: (_key, callback) => callback(null, false) })).rejects.toThrow()
      await expect.poll(() => failures.length).toBe(1)
    })

    it('connect with the seed of an invite', async () => {
      const bob = await oldKeys(78)
      const { client, server } = await meet(`${address}:${Buffer.alloc(32, 78).toString('base64')}`)
      expect(server.remote).toEqual(bob.publicKey)
      await abort(client)
    })

    it('take a seed for keys', async () => {
      const { server, client } = await meet(address, { keys: undefined, seed: Buffer.alloc(32, 32) })
      expect(server.remote).toEqual(keys.client.publicKey)
      await abort(client)
    })
  })
})

describe('addresses', () => {
  it.each([['device'], ['local'], ['public']])('are printed alike for %s', (scope) => {
    const print = ({ MultiServer, plugins, Shs: createShs }: Multiserver) => {
      const shs = createShs({ keys: keys.server, appKey, auth: ignore })
      const options = { scope: ['device', 'local', 'public'] as const, port: 4848, external: ['example.com'] }
      const host = scope === 'local' ? { host: '192.168.1.9' } : {}
      const create = (name: 'net' | 'ws') => plugins[name]({ ...options, ...host })
      return MultiServer([
        [create('net'), shs],
        [create('ws'), shs],
      ]).stringify(scope)
    }
    expect(print(ours)).toBe(print(theirs))
    expect(print(ours)).not.toBe('')
  })
})
