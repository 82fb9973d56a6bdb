import { describe, expect, it } from 'vitest'
import { borrowHubSocket } from '../../../plugs/rtc/hub-clients.ts'
import { FakeHub } from './fake-hub.ts'

describe('the sockets to hubs that dials share', () => {
  it('are lent to all who dial at the same time, and closed by the last', async () => {
    const hub = await FakeHub.start()
    const one = borrowHubSocket(hub.url)
    const other = borrowHubSocket(hub.url)
    expect(other.socket).toBe(one.socket)
    one.giveBack()
    expect(one.socket.isOver).toBe(false)
    one.giveBack()
    expect(one.socket.isOver).toBe(false)
    other.giveBack()
    expect(one.socket.isOver).toBe(true)
    await one.socket.closed
    await hub.close()
  })

  it('are lent to nobody else once they seem dead to one, and are left to those who have them', async () => {
    const hub = await FakeHub.start()
    const one = borrowHubSocket(hub.url)
    const other = borrowHubSocket(hub.url)
    one.giveBack(true)
    expect(other.socket.isOver).toBe(false)
    const next = borrowHubSocket(hub.url)
    expect(next.socket).not.toBe(other.socket)
    other.giveBack()
    expect(other.socket.isOver).toBe(true)
    expect(next.socket.isOver).toBe(false)
    next.giveBack()
    await Promise.all([one.socket.closed, next.socket.closed])
    await hub.close()
  })
})
