import { describe, expect, it } from 'vitest'
import { isRelayUrl } from '../../../plugs/rtc/relay-url.ts'

const hub = 'wss://hub.example.com'

describe('the URL of a relay', () => {
  it.each([
    'wss://hub.example.com/relay',
    'wss://hub.example.com:8443/relay?x',
    'wss://node-2.hub.example.com/relay',
    'wss://a.b.HUB.example.com/relay',
    'wss://relay.example.net/relay',
    'wss://other.example.net:444/relay',
  ])('%s is accepted', (url) => {
    expect(isRelayUrl(url, hub, ['relay.example.net', 'Other.example.net:444'])).toBe(true)
  })

  it.each([
    'ws://hub.example.com/relay',
    'https://hub.example.com/relay',
    'wss://example.com/relay',
    'wss://evilhub.example.com/relay',
    'wss://hub.example.com.evil.net/relay',
    'wss://hub.example.com@evil.net/relay',
    'wss://user:word@hub.example.com/relay',
    'wss://hub.example.com/relay#x',
    'wss://other.example.net/relay',
    'wss://127.0.0.1/relay',
    '/relay',
    '',
  ])('%s is not', (url) => {
    expect(isRelayUrl(url, hub, ['relay.example.net', 'Other.example.net:444'])).toBe(false)
  })

  it.each([
    ['ws://127.0.0.1:8989', 'ws://127.0.0.1:8989/relay', true],
    ['ws://127.0.0.1:8989', 'ws://1.127.0.0.1:8989/relay', false],
    ['ws://[::1]:8989/prefix', 'ws://[::1]:8989/prefix/relay', true],
    ['ws://localhost:1', 'ws://127.0.0.1:1/relay', false],
  ])('of the hub %s may be %s: %s', (hubUrl, url, isAccepted) => {
    expect(isRelayUrl(url, hubUrl, [])).toBe(isAccepted)
  })
})
