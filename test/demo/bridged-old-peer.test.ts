import { expect, it } from 'vitest'
import { startBridgedOldPeer } from '../../cli/demo/bridged-old-peer.ts'
import { fromText } from '../../core/bytes.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import tunnel from '../../plugs/tunnel/index.ts'
import { startHub } from '../../signal-server/index.ts'
import { deferred } from '../support/deferred.ts'

it('is reached through the hub, knows who comes, and closes', async () => {
  const hub = await startHub({ port: 0 })
  const accepted = deferred<Connection>()
  const key = await generateKeys()
  const peer = await startBridgedOldPeer({ hub: hub.url, key, onConnection: accepted.resolve })
  if (peer === null) throw new Error('multiserver 3.8.2 is not installed')
  const keys = await generateKeys()
  const ms = MultiServer([[rtc(), shs2({ keys }), tunnel(), shs({ keys })]])
  const connection = await ms.client(peer.address)
  expect(connection.remote).toEqual(key.publicKey)
  const atPeer = await accepted.promise
  expect(atPeer).toMatchObject({ role: 'server', remote: keys.publicKey, strength: 1 })
  await connection.write(fromText('hello'))
  expect(await atPeer.read()).toEqual(fromText('hello'))
  await atPeer.write(fromText('welcome'))
  expect(await connection.read()).toEqual(fromText('welcome'))
  await Promise.all([connection.close(), atPeer.close()])
  expect(atPeer.error ?? connection.error).toBeUndefined()
  await peer.close()
  await hub.close()
})
