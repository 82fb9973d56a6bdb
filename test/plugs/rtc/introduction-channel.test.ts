import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../../../core/bytes.ts'
import { limits } from '../../../core/limits.ts'
import { IntroductionChannel } from '../../../plugs/rtc/introduction-channel.ts'
import type { PeerMessage } from '../../../core/hub-protocol.ts'

const id = toBase64Url(new Uint8Array(16).fill(3))

describe('the channel of an introduction', () => {
  it('keeps the signals that nobody has asked for, up to as many as a hub passes on', async () => {
    const { channel } = openChannel()
    for (let count = 0; count < 2 * limits.hub.signals; count++)
      channel.receive({ type: 'signal', id, data: `${count}` })
    for (let count = 0; count < limits.hub.signals; count++)
      expect(await channel.nextSignal()).toBe(`${count}`)
    channel.receive({ type: 'signal', id, data: 'later' })
    expect(await channel.nextSignal()).toBe('later')
  })

  it.each(['BUSY', 'lost'])('gives what came before the end (%s), then the error', async (reason) => {
    const { channel, isEnded } = openChannel()
    channel.receive({ type: 'signal', id, data: 'last' })
    channel.receive({ type: 'closed', id, reason })
    expect(isEnded()).toBe(true)
    expect(await channel.nextSignal()).toBe('last')
    await expect(channel.nextSignal()).rejects.toMatchObject({ code: 'BUSY' })
    await expect(channel.introduced).rejects.toMatchObject({ code: 'BUSY' })
  })

  it('tells a client that its peer has gone from the hub', async () => {
    const { channel } = openChannel()
    channel.introduce(new Uint8Array(32))
    channel.receive({ type: 'closed', id, reason: 'gone' })
    await expect(channel.introduced).rejects.toMatchObject({ code: 'PEER_NOT_FOUND' })
  })

  it('says close once, and nothing after it', () => {
    const { channel, sent } = openChannel()
    channel.close('open')
    channel.close('again')
    channel.sendSignal('data')
    expect(sent).toEqual([{ type: 'close', id, reason: 'open' }])
  })

  it('has the circuit that the hub tells of, asked for or not', async () => {
    const { channel, sent } = openChannel()
    channel.askForRelay()
    expect(sent).toEqual([{ type: 'relay', id }])
    const told = { type: 'relay', id, url: 'wss://hub/relay', token: new Uint8Array(32), limits: {} } as const
    channel.receive(told)
    channel.receive({ ...told, url: 'wss://another/relay' })
    expect((await channel.relayed).url).toBe('wss://hub/relay')
  })

  it.each(['RELAY_OFF', 'QUOTA', 'BUSY', 'INVALID', 'UNKNOWN_MESSAGE'] as const)(
    'goes on when the hub answers %s to who asked for a circuit, and only then',
    async (code) => {
      const { channel, isEnded } = openChannel()
      channel.askForRelay()
      channel.receive({ type: 'error', code, message: '', id })
      await expect(channel.relayed).rejects.toMatchObject({ code: code === 'BUSY' ? 'BUSY' : 'HUB_REFUSED' })
      expect(isEnded()).toBe(false)
      channel.receive({ type: 'error', code, message: '', id })
      expect(isEnded()).toBe(true)
    },
  )

  it('has no circuit any more when it is over', async () => {
    const { channel, sent } = openChannel()
    channel.receive({ type: 'closed', id, reason: 'open' })
    channel.askForRelay()
    expect(sent).toEqual([])
    await expect(channel.relayed).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  it.each([
    ['open', false],
    ['gone', false],
    ['ABORTED', true],
    ['', true],
  ])('closed by the reason "%s" is given up: %s', (reason, isGivenUp) => {
    const { channel } = openChannel()
    channel.receive({ type: 'closed', id, reason })
    expect(channel.isGivenUp).toBe(isGivenUp)
  })
})

function openChannel(): { channel: IntroductionChannel; sent: PeerMessage[]; isEnded: () => boolean } {
  const sent: PeerMessage[] = []
  let ended = false
  const channel = new IntroductionChannel(
    id,
    (message) => sent.push(message),
    () => (ended = true),
  )
  return { channel, sent, isEnded: () => ended }
}
