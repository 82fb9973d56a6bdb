import { describe, expect, it } from 'vitest'
import { SteadySender } from '../../../plugs/rtc/steady-sender.ts'
import type { Bytes } from '../../../core/types.ts'

describe('what is sent before the far side is known to be there', () => {
  it('waits, counts as long as it does, and goes in order', () => {
    const sent: Bytes[] = []
    const sender = new SteadySender((message) => sent.push(message), { waits: true })
    sender.send(Uint8Array.of(1))
    sender.send(new Uint8Array(1000))
    expect(sender.heldBytes).toBe(1001)
    expect(sent).toEqual([])
    sender.begin()
    expect(sent.map(({ length }) => length)).toEqual([1, 1000])
    expect(sender.heldBytes).toBe(0)
    sender.stop()
  })

  it('is lost with the sender', () => {
    const sent: Bytes[] = []
    const sender = new SteadySender((message) => sent.push(message), { waits: true })
    sender.send(new Uint8Array(10))
    sender.stop()
    expect(sender.heldBytes).toBe(0)
    sender.begin()
    expect(sent).toEqual([])
  })
})
