import { expect, it, vi } from 'vitest'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, keyToString } from '../../../plugs/keys.ts'
import memory from '../../../plugs/memory.ts'
import rtc from '../../../plugs/rtc/index.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'
import tunnel from '../../../plugs/tunnel/index.ts'
import { startHub } from '../../../signal-server/index.ts'
import { failure } from '../../support/failure.ts'

it('shares the registration of a key with other stacks; each gets those whose address fits', async () => {
  const hub = await startHub({ port: 0, exemptLoopback: true })
  const [own, server, client] = await Promise.all([generateKeys(), generateKeys(), generateKeys()])
  const secret = shs2({ keys: own })
  const to = vi.fn(() => 'memory:nobody')
  const bridge = MultiServer([
    [rtc({ hub: hub.url, publish: false }), secret],
    [rtc({ hub: hub.url, publish: false }), secret, tunnel({ to, transports: [memory()] })],
  ])
  const onConnection = vi.fn()
  const close = bridge.server(onConnection, () => undefined)
  await close.listening
  const secrets = [shs2({ keys: client }), shs({ keys: client })] as const
  const ms = MultiServer([
    [rtc(), secrets[0]],
    [rtc(), secrets[1]],
    ...secrets.map((last) => [rtc(), secrets[0], tunnel(), last] as const),
  ])
  const section = hub.url.replace('ws://', 'rtc:')
  const [bridgeKey, serverKey] = [keyToString(own.publicKey), keyToString(server.publicKey)]

  // What it is itself.
  const connection = await ms.client(`${section}~shs2:${bridgeKey}`)
  await vi.waitFor(() => expect(onConnection).toHaveBeenCalledOnce())
  // What it leads to, whatever is spoken there.
  for (const last of ['shs', 'shs2']) {
    const address = `${section}~shs2:${bridgeKey}~tunnel:${serverKey}~${last}:${serverKey}`
    expect((await failure(ms.client(address))).attempts).toMatchObject([{ code: 'TUNNEL_UNREACHABLE' }])
  }
  expect(to).toHaveBeenCalledTimes(2)
  // And what it has no stack for.
  const refused = await failure(ms.client(`${section}~shs:${bridgeKey}`))
  expect(refused.attempts?.[0]?.message).toContain('no stack with these transforms')
  connection.abort()
  await close()
  await hub.close()
})
