import { afterAll, beforeAll, expect, it } from 'vitest'
import { MultiServer } from '../../compat/index.ts'
import type { Close, Stack, Stream } from '../../compat/types.ts'
import { pull } from '../streams/pull-streams.ts'
import { ask, createStack, dial, freePort, start, stop } from './setup.ts'

let net: Stack
let ws: Stack
let address: string
let close: Close
let accepted: string | undefined

beforeAll(async () => {
  net = createStack('net', await freePort())
  ws = createStack('ws', await freePort())
  const both = MultiServer([net, ws])
  close = await start(both, (stream: Stream) => {
    accepted = stream.address
    pull(stream, stream)
  })
  address = `fake:peer.ignore~nul:what;${both.stringify('device')}`
})

afterAll(() => stop(close))

it('listens with all its stacks', () => {
  expect(address).toMatch(/;net:localhost:\d+~shs:[^;]+;ws:\/\/localhost:\d+~shs:[^;]+$/)
})

it.each([
  ['net', () => MultiServer([net, ws])],
  ['ws', () => MultiServer([ws])],
])('skips protocols that it does not know, and connects over %s', async (name, create) => {
  const stream = await dial(create(), address)
  expect(stream.address).toMatch(new RegExp(`^${name}:`))
  expect(accepted).toMatch(new RegExp(`^${name}:`))
  expect(await ask(stream, 'Hello')).toBe('Hello')
})

it('takes the alternatives as a list', async () => {
  const received: Promise<string> = new Promise((resolve, reject) => {
    MultiServer([net]).client(address.split(';'), (error, stream) =>
      stream ? resolve(ask(stream, 'list')) : reject(error ?? new Error('nothing')),
    )
  })
  expect(await received).toBe('list')
})

it('says what it knows when no stack understands the address', async () => {
  await expect(dial(MultiServer([net, ws]), 'fake:peer')).rejects.toThrow(
    'could not connect to:fake:peer, only know:net~shs;ws~shs',
  )
})

it('parses each alternative with the stack that understands it', () => {
  const parsed = MultiServer([ws, net]).parse(address)
  expect(parsed[0]).toBeNull()
  expect(parsed.slice(1)).toMatchObject([
    [{ name: 'net' }, {}],
    [{ protocol: 'ws:' }, {}],
  ])
})
