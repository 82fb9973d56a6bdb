import type { NetworkInterfaceInfo } from 'node:os'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { MachineWatch, type Interfaces } from '../../../plugs/rtc/machine-watch.ts'

const { lookMs, sleptMs } = limits.machine

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const loopback = { lo: [info('127.0.0.1'), info('::1')] }
const home: Interfaces = { ...loopback, wlan0: [info('192.168.1.7'), info('2001:db8:1::7')] }

/** A watch of a machine whose interfaces are what the test says. */
function watch(first: Interfaces | Error) {
  let interfaces = first
  let asked = 0
  let activeMs = 0
  const onChange = vi.fn<() => void>()
  const machine = new MachineWatch({
    interfaces: () => {
      asked += 1
      if (interfaces instanceof Error) throw interfaces
      return interfaces
    },
    activeMs: () => activeMs,
  })
  return {
    machine,
    onChange,
    asked: () => asked,
    stop: machine.listen(onChange),
    work: (ms: number) => {
      activeMs += ms
      vi.setSystemTime(Date.now() + ms)
    },
    /** What it is called for from one look to the next. */
    becomes: (next: Interfaces | Error): number => {
      onChange.mockClear()
      interfaces = next
      vi.advanceTimersByTime(lookMs)
      return onChange.mock.calls.length
    },
  }
}

describe('the watch of a machine', () => {
  it.each<[string, Interfaces, Interfaces]>([
    ['an address is another', home, { ...home, wlan0: [info('192.168.1.8'), info('2001:db8:1::7')] }],
    ['one is added', home, { ...home, eth0: [info('10.0.0.2')] }],
    ['one goes', home, { ...home, wlan0: [info('2001:db8:1::7')] }],
    ['an interface goes', home, loopback],
    ['an interface comes back', { ...loopback, wlan0: undefined }, home],
    ['the same address is at another interface', home, { ...loopback, wlan1: home['wlan0'] }],
  ])('tells once that %s', (_what, first, next) => {
    const { becomes, stop } = watch(first)
    expect(becomes(next)).toBe(1)
    expect(becomes(next)).toBe(0)
    stop()
  })

  it.each<[string, Interfaces]>([
    ['nothing is other', { ...home }],
    ['the order is another', { wlan0: home['wlan0']?.toReversed(), ...loopback }],
    ['only what is of the machine alone is other', { ...home, lo: [info('127.0.0.1')] }],
    ['a container brings a link-local address', { ...home, veth0: [info('fe80::1'), info('169.254.3.4')] }],
  ])('tells nothing when %s', (_what, next) => {
    const { becomes, stop } = watch(home)
    expect(becomes(next)).toBe(0)
    stop()
  })

  it('takes what the system does not tell for what was', () => {
    const { becomes, stop } = watch(home)
    expect(becomes(new Error('EACCES'))).toBe(0)
    expect(becomes(home)).toBe(0)
    expect(becomes(loopback)).toBe(1)
    stop()
  })

  it('tells that the machine has slept, however short its timers found it', () => {
    const { becomes, stop } = watch(home)
    vi.setSystemTime(Date.now() + sleptMs)
    expect(becomes(home)).toBe(1)
    vi.setSystemTime(Date.now() + sleptMs - 1)
    expect(becomes(home)).toBe(0)
    // A clock that was set back is no sleep.
    vi.setSystemTime(Date.now() - 3_600_000)
    expect(becomes(home)).toBe(0)
    stop()
  })

  it('takes no work for sleep, however long it was', () => {
    const { becomes, work, stop } = watch(home)
    work(10 * sleptMs)
    expect(becomes(home)).toBe(0)
    work(sleptMs)
    vi.setSystemTime(Date.now() + sleptMs)
    expect(becomes(home)).toBe(1)
    stop()
  })

  it('looks while somebody listens, and once for all of them', () => {
    const { machine, onChange, asked, becomes, stop } = watch(home)
    const stops = [stop, machine.listen(onChange), machine.listen(onChange)]
    expect(asked()).toBe(1)
    expect(becomes(loopback)).toBe(3)
    expect(asked()).toBe(2)
    stops[1]?.()
    stops[1]?.()
    expect(becomes(home)).toBe(2)
    for (const each of stops) each()
    const before = asked()
    expect(becomes(loopback)).toBe(0)
    expect(asked()).toBe(before)
    // What has changed meanwhile is no change for who comes later.
    const again = machine.listen(onChange)
    expect(becomes(loopback)).toBe(0)
    again()
  })

  it('goes on when a listener stops while it is told', () => {
    const { machine, becomes, stop } = watch(home)
    const stops = [
      stop,
      machine.listen(() => {
        for (const each of stops) each()
      }),
    ]
    expect(becomes(loopback)).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

/** As Node gives it, which says more than matters here. */
function info(address: string): NetworkInterfaceInfo {
  const isLoopback = address === '127.0.0.1' || address === '::1'
  const both = { address, netmask: '', mac: '00:00:00:00:00:00', internal: isLoopback, cidr: null }
  return address.includes(':') ? { ...both, family: 'IPv6', scopeid: 0 } : { ...both, family: 'IPv4' }
}
