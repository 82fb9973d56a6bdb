import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateKeys, keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { freePort } from '../support/fixed-port.ts'
import { run, start, temporaryFolder } from './command.ts'

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({ exemptLoopback: true })
})
afterAll(() => hub.close())

test('what is published is found by its key, until it is withdrawn', async () => {
  const file = join(temporaryFolder(), 'key')
  const key = keyToString((await loadOrCreateKeys(file)).publicKey)
  const environment = { MULTISERVER_HUB: hub.url }
  const address = `net:127.0.0.1:8008~shs:${key}`
  const publishing = start(['publish', address, '--key', file], environment)
  await publishing.said(/Published at/)
  const found = await run(['lookup', key], '', environment)
  expect([found.code, found.stdout]).toEqual([0, `${address}\n`])
  const json = await run(['lookup', key, '--json', '--hub', hub.url])
  expect(JSON.parse(json.stdout)).toMatchObject({ key, address, alternatives: [address] })
  expect((await publishing.stop()).code).toBe(0)
  const gone = await run(['lookup', key], '', environment)
  expect([gone.code, gone.stderr]).toEqual([3, expect.stringMatching(/RECORD_NOT_FOUND.*\n.*→/)])
})

test('nobody publishes for a key of somebody else', async () => {
  const key = keyToString((await generateKeys()).publicKey)
  const { code, stderr } = await run(['publish', `net:a:1~shs:${key}`, '--hub', hub.url])
  expect([code, stderr]).toEqual([2, expect.stringContaining('--key FILE')])
})

test('a hub is asked for, and must be one', async () => {
  const key = keyToString((await generateKeys()).publicKey)
  const none = await run(['lookup', key])
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('MULTISERVER_HUB')])
  expect((await run(['lookup', key, '--hub', 'no hub'])).code).toBe(2)
  expect((await run(['lookup', 'key', '--hub', hub.url])).code).toBe(2)
})

test('the doctor says what it found, in words and as JSON', async () => {
  const { code, stdout } = await run(['doctor', '--hub', hub.url])
  expect([code, stdout]).toEqual([0, expect.stringMatching(/✓ hub +The hub answers/)])
  const json = await run(['doctor', '--hub', hub.url, '--json'])
  expect(JSON.parse(json.stdout)[0]).toMatchObject({ name: 'hub', state: 'yes' })
})

test('the doctor ends with 3 where there is no hub', async () => {
  const { code, stdout } = await run(['doctor', '--hub', `ws://127.0.0.1:${await freePort()}`])
  expect([code, stdout]).toEqual([3, expect.stringMatching(/✗ hub .*\n +→/)])
})
