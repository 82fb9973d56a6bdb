import { beforeAll, describe, expect, inject, it } from 'vitest'
import { fromHex, toHex } from '../../core/bytes.ts'
import { createIdentity, ready } from '../../core/ed25519.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { signRecord, verifyRecord } from '../../core/record.ts'
import { dialPeer, listPeers, lookup, publish } from '../../plugs/directory/index.ts'
import { generateKeys, keysFromSeed, keyToString } from '../../plugs/keys.browser.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import { failure } from '../support/failure.ts'
import vectors from '../vectors/records.json' with { type: 'json' }

beforeAll(ready)

const hub = inject('hubUrl')

describe('records in a browser', () => {
  it.each(vectors.records)('gives the known bytes of "$name"', async (vector) => {
    const identity = createIdentity(await keysFromSeed(fromHex(vector.seed)))
    const { sequence, expiresAtMs, listed, addresses } = vector
    const record = await signRecord(identity, { sequence, expiresAtMs, listed, addresses })
    expect(toHex(record)).toBe(vector.record)
    expect(verifyRecord(record)?.addresses).toEqual(addresses)
  })
})

describe('the directory in a browser', () => {
  it('publishes, looks up, lists and withdraws', async () => {
    const keys = await generateKeys()
    const address = `net:203.0.113.7:8008~shs:${keyToString(keys.publicKey)}`
    const published = publish({ hub, keys, address, listed: true })
    await published.published
    expect(await lookup(hub, keys.publicKey)).toMatchObject({ address, listed: true, key: keys.publicKey })
    const listed = []
    for await (const peer of listPeers(hub)) listed.push(keyToString(peer.key))
    expect(listed).toContain(keyToString(keys.publicKey))
    await published.close()
    expect((await failure(lookup(hub, keys.publicKey))).code).toBe('RECORD_NOT_FOUND')
  })

  it('finds a page that serves rtc, and dials it', async () => {
    const keys = await generateKeys()
    const ms = MultiServer([[rtc({ hub }), shs({ keys })]])
    const close = ms.server((connection) => connection.close())
    await close.listening
    await expect
      .poll(() =>
        lookup(hub, keys.publicKey).then(
          ({ address }) => address,
          () => '',
        ),
      )
      .toBe(ms.stringify())
    const client = MultiServer([[rtc(), shs({ keys: await generateKeys() })]])
    const connection = await dialPeer(client, hub, keys.publicKey)
    expect(connection.remote).toEqual(keys.publicKey)
    await connection.close()
    await close()
    expect((await failure(lookup(hub, keys.publicKey))).code).toBe('RECORD_NOT_FOUND')
  })

  it('has an error for a hub that is not there, within its deadline', async () => {
    const { publicKey } = await generateKeys()
    expect((await failure(lookup('127.0.0.1:1', publicKey))).code).toBe('HUB_LOST')
  })
})
