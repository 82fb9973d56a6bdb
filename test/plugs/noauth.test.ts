import { describe, expect, it } from 'vitest'
import { fromText, toBase64 } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import memory from '../../plugs/memory.ts'
import net, { type NetOptions } from '../../plugs/net.ts'
import noauth from '../../plugs/noauth.ts'
import onion from '../../plugs/onion.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import unix from '../../plugs/unix.ts'
import ws from '../../plugs/ws.ts'
import { failure } from '../support/failure.ts'
import type { Transport } from '../../core/types.ts'

const keys = await generateKeys()
const shsSection = `shs:${toBase64(keys.publicKey)}`

describe('the section of noauth', () => {
  it('is noauth and nothing else', () => {
    expect(noauth().section()).toBe('noauth')
    expect(noauth().parse('noauth')).not.toBeNull()
    for (const text of [
      '',
      shsSection,
      'shs',
      'noauth:',
      `noauth:${toBase64(keys.publicKey)}`,
      'NOAUTH',
      ' noauth',
    ]) {
      expect(noauth().parse(text)).toBeNull()
    }
  })
})

describe('a stack with noauth', () => {
  it('connects, proves nothing, and has the strength 0', async () => {
    const ms = MultiServer([[memory({ name: 'noauth' }), noauth()]])
    const accepted = new Promise<{ remote?: unknown; strength: number }>((resolve) => {
      const close = ms.server(async (connection) => {
        resolve(connection)
        await connection.write(fromText('hello'))
        await connection.close()
        await close()
      })
    })
    const connection = await ms.client('memory:noauth~noauth')
    expect(await connection.read()).toEqual(fromText('hello'))
    for (const end of [connection, await accepted]) {
      expect(end.remote).toBeUndefined()
      expect(end.strength).toBe(0)
    }
    await connection.close()
  })

  it('never takes an address with a key, though it stands before the stack that does', async () => {
    const server = MultiServer([[net(), shs({ keys })]])
    const close = server.server((connection) => connection.abort())
    await close.listening
    const client = MultiServer([
      [net({ listen: false }), noauth()],
      [net({ listen: false }), shs({ keys: await generateKeys() })],
    ])
    const connection = await client.client(server.stringify())
    expect(connection.remote).toEqual(keys.publicKey)
    expect(connection.strength).toBe(1)
    connection.abort()
    const alone = MultiServer([[net({ listen: false }), noauth()]])
    expect(await failure(alone.client(server.stringify()))).toMatchObject({ code: 'NO_STACK_FITS' })
    await close()
  })
})

describe('where noauth may stand', () => {
  const wide: [string, Transport][] = [
    ['net on a public scope', net({ scope: 'public' })],
    ['net on several scopes', net({ scope: ['device', 'public'] })],
    ['net on every interface', net({ host: '0.0.0.0' })],
    ['net on every interface of IPv6', net({ host: '::' })],
    ['net on a public address', net({ host: '8.8.8.8' })],
    ['net on a name', net({ host: 'example.com' })],
    ['ws on a public scope', ws({ scope: 'public' })],
    ['rtc at a hub', rtc({ hub: 'wss://hub.example.com' })],
    ['rtc that only dials', rtc()],
    ['onion with an onion service', onion({ external: 'abc.onion:8008' })],
    ['a transport that does not say from where it is reached', unknownTransport()],
  ]

  it.each(wide)('not behind %s: STACK_INVALID, and what to do', (_name, transport) => {
    expect(() => MultiServer([[transport, noauth()]])).toThrow(
      expect.objectContaining({ code: 'STACK_INVALID', message: expect.stringContaining('allowPublic') }),
    )
  })

  it.each(wide)('behind %s with allowPublic', (_name, transport) => {
    expect(() => MultiServer([[transport, noauth({ allowPublic: true })]])).not.toThrow()
  })

  const narrow: [string, Transport][] = [
    ['memory', memory({ name: 'narrow' })],
    ['unix', unix()],
    ['net', net()],
    ['net on a private scope', net({ scope: ['device', 'local'] })],
    ['net on a private address', net({ host: '192.168.1.2' })],
    ['net that only dials', net({ scope: 'public', listen: false })],
    ['ws', ws({ host: '::1' })],
    ['onion that only dials', onion()],
  ]

  it.each(narrow)('behind %s', (_name, transport) => {
    expect(() => MultiServer([[transport, noauth()]])).not.toThrow()
  })

  it('behind net on a public scope when shs stands there instead', () => {
    const options: NetOptions = { scope: 'public' }
    expect(() => MultiServer([[net(options), shs({ keys })]])).not.toThrow()
  })
})

function unknownTransport(): Transport {
  return { name: 'pigeon', halfClose: true, parse: () => null, addresses: () => [] }
}
