import { describe, expect, it } from 'vitest'
import { checkReach, isWithinReach, reachOfHub } from '../../core/reach.ts'
import type { Scope } from '../../core/types.ts'

const places = {
  public: ['203.0.113.7', '2001:db8::1', '[2606:4700::1]', 'example.com', '::ffff:8.8.8.8'],
  private: ['10.0.0.1', '192.168.1.1', 'fd00::1', 'printer.local', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1'],
  loopback: ['127.0.0.1', '[::1]', 'localhost', 'a.localhost', '::ffff:127.0.0.1'],
  refused: ['0.0.0.0', '169.254.169.254', 'fe80::1', '127.1', '0x7f.1', '2130706433', '224.0.0.1', ''],
}

const within: Record<Scope, readonly (keyof typeof places)[]> = {
  public: ['public'],
  local: ['public', 'private'],
  device: ['public', 'private', 'loopback'],
}

describe('what a dial may reach', () => {
  it.each(Object.entries(within))('within %s is %s', (scope, kinds) => {
    for (const [kind, hosts] of Object.entries(places)) {
      for (const host of hosts) {
        const isWithin = (kinds as readonly string[]).includes(kind)
        expect([host, isWithinReach(host, scope as Scope)]).toEqual([host, isWithin])
      }
    }
  })

  it('is anything when nobody asks', () => {
    for (const host of Object.values(places).flat()) expect(isWithinReach(host, undefined)).toBe(true)
  })

  it('is told apart by an error that says what and why', () => {
    expect(() => checkReach('10.0.0.1', 'public')).toThrow(/10\.0\.0\.1 .* \(public\)/)
    expect(() => checkReach('10.0.0.1', 'local')).not.toThrow()
  })

  it.each([
    ['ws://127.0.0.1:8989', 'device'],
    ['ws://[::1]:8989', 'device'],
    ['ws://192.168.1.5', 'local'],
    ['wss://hub.local', 'local'],
    ['wss://hub.example.com/prefix', 'public'],
    ['ws://169.254.169.254', 'public'],
  ])('through the hub %s is %s', (hub, scope) => {
    expect(reachOfHub(hub)).toBe(scope)
  })
})
