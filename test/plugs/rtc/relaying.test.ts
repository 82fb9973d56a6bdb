import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../../../core/bytes.ts'
import { IntroductionChannel } from '../../../plugs/rtc/introduction-channel.ts'
import { Relaying } from '../../../plugs/rtc/relaying.ts'
import { FakeRelay } from './fake-relay.ts'
import { expectNoLeftovers, until } from './leftovers.ts'

expectNoLeftovers()

const token = new Uint8Array(32).fill(5)

/** One side of a circuit that the hub has granted and nobody needs any more, before its socket may be opened. */
async function stopBefore(role: 'client' | 'server') {
  const relay = await FakeRelay.start()
  const channel = new IntroductionChannel('id', ignore, ignore)
  let begin: () => void = ignore
  const relaying = new Relaying({
    channel,
    hubUrl: relay.url.replace('/relay', ''),
    relayHosts: [],
    role,
    relayKey: new Uint8Array(32),
    after: new Promise((resolve) => (begin = resolve)),
    ask: () => Promise.resolve(),
    onLimit: ignore,
  })
  relaying.start()
  channel.receive({ type: 'relay', id: 'id', url: relay.url, token, limits: {} })
  await new Promise((resolve) => setImmediate(resolve))
  relaying.stop()
  begin()
  expect(await relaying.path).toBe(null)
  return relay
}

describe('a circuit that is granted, not opened yet and not needed any more', () => {
  it('is taken and left by the server, which asked for it: what nobody takes counts until its tokens end', async () => {
    const relay = await stopBefore('server')
    await until(() => relay.left === 1, 'it has left')
    expect(relay.tokens).toEqual([toBase64Url(token)])
    await relay.close()
  })

  it('is left alone by the client: one side is enough', async () => {
    const relay = await stopBefore('client')
    await new Promise((resolve) => setImmediate(resolve))
    expect(relay.sockets).toBe(0)
    await relay.close()
  })
})

function ignore(): void {
  // Nothing.
}
