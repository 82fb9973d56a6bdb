import { describe, expect, it } from 'vitest'
import { defaultLimits, parseBridgeConfig } from '../../../cli/bridge/config.ts'
import { CliError } from '../../../cli/failures.ts'

const [server, client] = [7, 9].map((byte) => Buffer.alloc(32, byte).toString('base64'))
const tunnel = { server, to: 'net:10.0.0.5:8008', allow: [client] }
const forward = { listen: 'net:127.0.0.1:8009', to: `rtc:hub.example.com~shs:${server}` }
const good = { key: 'key.json', hubs: ['hub.example.com'], tunnels: [tunnel] }

describe('the configuration of a bridge', () => {
  it('is read with its defaults; paths begin at its folder', () => {
    expect(parse(good)).toEqual({
      keyFile: '/etc/bridge/key.json',
      appKey: undefined,
      doors: ['rtc:hub.example.com'],
      tunnels: [{ server: new Uint8Array(32).fill(7), to: tunnel.to, allow: [new Uint8Array(32).fill(9)] }],
      forwards: [],
      limits: defaultLimits,
    })
  })

  it('takes every kind of hub, door, place and far end', () => {
    const config = parse({
      key: '/keys/key.json',
      appKey: server,
      hubs: ['localhost:8989', 'wss://hub.example.com/prefix'],
      listen: ['net:0.0.0.0:8010', 'ws://0.0.0.0:8011', 'unix:/run/bridge'],
      tunnels: [
        { server, to: 'unix:/run/server', allow: 'anyone' },
        { server: client, to: 'ws://10.0.0.6', allow: [] },
      ],
      forwards: [
        forward,
        { listen: 'unix:/run/old', to: `rtc:h~shs2:${client}~tunnel:${server}~shs:${server}` },
        { listen: 'net:[::1]:8012', to: `ws://10.0.0.7~shs:${server}` },
      ],
      limits: { idleSeconds: 60 },
    })
    expect(config).toMatchObject({ keyFile: '/keys/key.json', limits: { ...defaultLimits, idleSeconds: 60 } })
    expect(config.forwards.map(({ far }) => far.last)).toEqual(
      Array.from({ length: 3 }, () => `shs:${server}`),
    )
  })

  it.each([
    ['', 'is no object', []],
    ['has "tunnel", which means nothing', 'there is only key, appKey, hubs', { ...good, tunnel }],
    ['has no key', 'add "key"', { ...good, key: undefined }],
    ['key is ""', 'it must be the path of a file', { ...good, key: '' }],
    ['appKey is "x"', 'it must be the base64 of 32 bytes', { ...good, appKey: 'x' }],
    ['hubs is "hub.example.com"', 'it must be a list', { ...good, hubs: 'hub.example.com' }],
    ['hubs[0] is "http://x"', 'it must be a host such as', { ...good, hubs: ['http://x'] }],
    ['listen[0] is "rtc:x"', 'it must be net:HOST:PORT', { ...good, listen: ['rtc:x'] }],
    ['listen[0] is "net:x:1~shs"', 'it must be net:HOST:PORT', { ...good, listen: ['net:x:1~shs'] }],
    ['tunnels[1] has the server of another', 'leave one', { ...good, tunnels: [tunnel, tunnel] }],
    [
      'tunnels[0].server is "x"',
      'it must be a public key',
      { ...good, tunnels: [{ ...tunnel, server: 'x' }] },
    ],
    [
      'tunnels[0].to is "net:x"',
      'it must be where the server is',
      { ...good, tunnels: [{ ...tunnel, to: 'net:x' }] },
    ],
    ['tunnels[0].to is "rtc:hub"', 'it must be where', { ...good, tunnels: [{ ...tunnel, to: 'rtc:hub' }] }],
    ['tunnels[0] has no allow', 'add "allow"', { ...good, tunnels: [{ ...tunnel, allow: undefined }] }],
    [
      'tunnels[0].allow is "all"',
      'a list of keys, or "anyone"',
      { ...good, tunnels: [{ ...tunnel, allow: 'all' }] },
    ],
    [
      'tunnels[0].allow[0] is 1',
      'it must be a public key',
      { ...good, tunnels: [{ ...tunnel, allow: [1] }] },
    ],
    ['forwards[1] has the listen of another', 'leave one', { ...good, forwards: [forward, forward] }],
    [
      'forwards[0].to is "rtc:h"',
      'an address that ends in a key',
      { ...good, forwards: [{ ...forward, to: 'rtc:h' }] },
    ],
    [
      'forwards[0].to is null',
      'an address that ends in a key',
      { ...good, forwards: [{ ...forward, to: null }] },
    ],
    ['limits.tunnels is 0', 'it must be a whole number from 1', { ...good, limits: { tunnels: 0 } }],
    ['limits has "tunel"', 'there is only tunnels', { ...good, limits: { tunel: 1 } }],
    ['serves nothing', 'add tunnels or forwards', { ...good, tunnels: [] }],
    ['has tunnels, and nothing says where clients come in', 'add hubs, or listen', { ...good, hubs: [] }],
  ])('names the place and the remedy: %s', (problem, remedy, value) => {
    const error = failureOf(JSON.stringify(value))
    expect(error.exit).toBe('usage')
    expect(error.message).toContain(`/etc/bridge/bridge.json`)
    expect(error.message).toContain(problem)
    expect(`${error.message} ${error.remedy}`).toContain(remedy)
  })

  it('is no JSON, and shows where', () => {
    // One version of Node names the place, another quotes it.
    expect(failureOf('{ "key": }').message).toMatch(/bridge\.json is no JSON: .*(position 9|"key": })/)
  })
})

function parse(value: unknown): ReturnType<typeof parseBridgeConfig> {
  return parseBridgeConfig(JSON.stringify(value), '/etc/bridge/bridge.json')
}

function failureOf(text: string): CliError {
  try {
    parseBridgeConfig(text, '/etc/bridge/bridge.json')
  } catch (thrown) {
    if (thrown instanceof CliError) return thrown
    throw thrown
  }
  throw new Error('it did not fail')
}
