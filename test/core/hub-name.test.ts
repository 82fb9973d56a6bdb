import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalHubName, hubUrlOf, isLoopbackHost } from '../../core/hub-name.ts'

describe('canonicalHubName', () => {
  it.each([
    ['wss://hub.example.com', 'wss://hub.example.com'],
    ['wss://hub.example.com/', 'wss://hub.example.com'],
    ['WSS://Hub.Example.COM:443/', 'wss://hub.example.com'],
    ['ws://127.0.0.1:8080', 'ws://127.0.0.1:8080'],
    ['ws://localhost:80/', 'ws://localhost'],
    ['wss://hub.example.com:80', 'wss://hub.example.com:80'],
    ['wss://example.com/prefix/', 'wss://example.com/prefix'],
    ['wss://example.com/a/../b', 'wss://example.com/b'],
    ['wss://user:word@example.com/prefix?query#fragment', 'wss://example.com/prefix'],
    ['ws://[0:0:0:0:0:0:0:1]:8080', 'ws://[::1]:8080'],
    ['wss://bücher.example', 'wss://xn--bcher-kva.example'],
  ])('names %s as %s', (url, name) => {
    expect(canonicalHubName(url)).toBe(name)
  })

  it.each(['', 'hub.example.com', 'https://hub.example.com', 'wss://', 'wss://a b', 'wss://h:99999', 'wss:'])(
    'refuses %j',
    (url) => {
      expect(canonicalHubName(url)).toBeNull()
    },
  )

  it.each(['wss://hub.example.com.', 'wss://hub.example.com.:8080/x', 'ws://localhost./'])(
    'refuses the trailing dot of %s',
    (url) => {
      expect(canonicalHubName(url)).toBeNull()
    },
  )

  it('is the canonical name of itself, whatever the URL', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl().map((url) => url.replace(/^http/, 'ws')),
          fc.string(),
        ),
        (url) => {
          const name = canonicalHubName(url)
          if (name !== null) expect(canonicalHubName(name)).toBe(name)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})

describe('hubUrlOf', () => {
  it.each([
    ['hub.example.com', 'wss://hub.example.com'],
    ['hub.example.com:8443', 'wss://hub.example.com:8443'],
    ['192.0.2.1:8080', 'wss://192.0.2.1:8080'],
    ['[2001:db8::1]:8080', 'wss://[2001:db8::1]:8080'],
    ['[2001:db8::1]', 'wss://[2001:db8::1]'],
    ['localhost', 'ws://localhost'],
    ['localhost:8080', 'ws://localhost:8080'],
    ['127.0.0.1:8080', 'ws://127.0.0.1:8080'],
    ['127.9.8.7:8080', 'ws://127.9.8.7:8080'],
    ['[::1]:8080', 'ws://[::1]:8080'],
    ['localhost.example.com', 'wss://localhost.example.com'],
    ['sub.localhost', 'wss://sub.localhost'],
    ['[::ffff:127.0.0.1]:80', 'wss://[::ffff:7f00:1]:80'],
    ['ws://hub.example.com/prefix', 'ws://hub.example.com/prefix'],
    ['wss://localhost:8080/prefix/?room=1', 'wss://localhost:8080/prefix/?room=1'],
  ])('dials %s at %s', (argument, url) => {
    expect(hubUrlOf(argument)).toBe(url)
  })

  it.each([
    '',
    ':8080',
    'host:',
    'host:0',
    'host:65536',
    'host:08',
    'host:8080:9',
    'host/path',
    'user@host',
    'host?query',
    'host#fragment',
    '::1',
    'fe80::1:8080',
    '[::1',
    '[::1]8080',
    'a b',
    'host.',
    'wss://host.',
    'http://host',
    'ws:host',
  ])('refuses %j', (argument) => {
    expect(hubUrlOf(argument)).toBeNull()
  })

  it('gives only what names a hub, and ws without being told to only for this machine', () => {
    const argument = fc.oneof(
      fc.string(),
      fc.domain(),
      fc.tuple(fc.domain(), fc.nat(70_000)).map(([host, port]) => `${host}:${port}`),
      fc.tuple(fc.ipV6(), fc.nat(70_000)).map(([host, port]) => `[${host}]:${port}`),
      fc.ipV4Extended(),
    )
    fc.assert(
      fc.property(argument, (text) => {
        const url = hubUrlOf(text)
        if (url === null) return
        expect(canonicalHubName(url)).not.toBeNull()
        if (!/^wss?:\/\//i.test(text)) {
          expect(new URL(url).protocol === 'ws:').toBe(isLoopbackHost(new URL(url).hostname))
        }
      }),
      { numRuns: 5_000 },
    )
  })
})
