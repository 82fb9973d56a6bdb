import { expect, it } from 'vitest'
import { Accounts } from '../../signal-server/accounts.ts'
import { Alarms } from '../../signal-server/alarms.ts'
import { limitsWith } from '../../signal-server/limits.ts'

const nobody = { addresses: 0, sites: 0 }

it('an address is waited for with one alarm, however often its sockets come and go, and is forgotten', () => {
  const alarms = new Alarms()
  const accounts = new Accounts(limitsWith(), false, alarms)
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
    alarms.ring(nowMs)
    accounts.leave(accounts.open('192.0.2.1', nowMs), nowMs)
    expect(alarms.size).toBe(1)
  }
  alarms.ring(120_000)
  expect(alarms.size).toBe(0)
  expect(accounts.counts()).toEqual(nobody)
})

it('an address with sockets is not forgotten, though its rates have recovered', () => {
  const alarms = new Alarms()
  const accounts = new Accounts(limitsWith(), false, alarms)
  const account = accounts.open('192.0.2.1', 0)
  accounts.leave(account, 0)
  expect(accounts.open('192.0.2.1', 1)).toBe(account)
  alarms.ring(60_000)
  expect(accounts.counts().addresses).toBe(1)
  accounts.leave(account, 60_000)
  expect(accounts.counts()).toEqual(nobody)
  expect(alarms.size).toBe(0)
})

it('a site counts the sockets of all its addresses, and is forgotten as they are', () => {
  const alarms = new Alarms()
  const accounts = new Accounts(limitsWith({ newSocketsPerSecondPerAddress: 1 }), false, alarms)
  const sources = ['2001:db8:1::/56', '2001:db8:1:100::/56', '2001:db8:2::/56', '192.0.2.1']
  const opened = sources.map((source) => accounts.open(source, 0))
  for (const account of opened) accounts.countUnregistered(account, 1)
  expect(opened.map(({ site }) => site?.sockets)).toEqual([2, 2, 1, undefined])
  expect(opened.map(({ site }) => site?.unregistered)).toEqual([2, 2, 1, undefined])
  expect(accounts.counts()).toEqual({ addresses: 4, sites: 2 })
  for (const account of opened) accounts.countUnregistered(account, -1)
  for (const account of opened) accounts.leave(account, 0)
  // An address has its rate back later than its site.
  alarms.ring(500)
  expect(accounts.counts()).toEqual({ addresses: 4, sites: 0 })
  const again = accounts.open('2001:db8:1::/56', 500)
  expect(again.site?.sockets).toBe(1)
  accounts.leave(again, 500)
  alarms.ring(60_000)
  expect(accounts.counts()).toEqual(nobody)
  expect(alarms.size).toBe(0)
})
