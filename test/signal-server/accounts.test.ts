import { expect, it } from 'vitest'
import { Accounts } from '../../signal-server/accounts.ts'
import { Alarms } from '../../signal-server/alarms.ts'
import { limitsWith } from '../../signal-server/limits.ts'

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
  expect(accounts.size).toBe(0)
})

it('an address with sockets is not forgotten, though its rates have recovered', () => {
  const alarms = new Alarms()
  const accounts = new Accounts(limitsWith(), false, alarms)
  const account = accounts.open('192.0.2.1', 0)
  accounts.leave(account, 0)
  expect(accounts.open('192.0.2.1', 1)).toBe(account)
  alarms.ring(60_000)
  expect(accounts.get('192.0.2.1')).toBe(account)
  accounts.leave(account, 60_000)
  expect(accounts.size).toBe(0)
  expect(alarms.size).toBe(0)
})
