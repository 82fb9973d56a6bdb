import { expect, it, vi } from 'vitest'
import { encodePeerMessage } from '../../core/hub-protocol.ts'
import { startHub } from '../../signal-server/index.ts'
import { introduce } from '../signal-server/relay-client.ts'

const signals = 20

it('a hub passes a signal on as it came: neither parsed nor made anew', async () => {
  const hub = await startHub({ exemptLoopback: true })
  const { id, client, server } = await introduce(hub)
  server.socket.removeAllListeners('message')
  const arrived = new Promise<void>((resolve) => {
    let left = signals
    server.socket.on('message', () => (left -= 1) === 0 && resolve())
  })
  const text = encodePeerMessage({ type: 'signal', id, data: 'x'.repeat(1400) })
  const parse = vi.spyOn(JSON, 'parse')
  const stringify = vi.spyOn(JSON, 'stringify')
  try {
    for (let count = 0; count < signals; count++) client.socket.send(text)
    await arrived
    expect(parse).not.toHaveBeenCalled()
    expect(stringify).not.toHaveBeenCalled()
  } finally {
    vi.restoreAllMocks()
    for (const { socket } of [client, server]) socket.terminate()
    await hub.close()
  }
})
