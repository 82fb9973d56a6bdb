import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refuseRequest } from '../../signal-server/gate.ts'
import { defaultLimits, limitsWith } from '../../signal-server/limits.ts'
import { isLoopbackSource, siteOf, sourceOf } from '../../core/ip.ts'
import { TokenBucket } from '../../core/token-bucket.ts'

describe('a token bucket', () => {
  it('never gives more than its burst and its rate', () => {
    const step = fc.record({ cost: fc.integer({ min: 1, max: 5 }), waitMs: fc.nat(2_000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const bucket = new TokenBucket({ perSecond: 3, burst: 7 }, 0)
        let [nowMs, given] = [0, 0]
        for (const { cost, waitMs } of steps) {
          nowMs += waitMs
          if (bucket.take(cost, nowMs)) given += cost
          expect(given).toBeLessThanOrEqual(7 + (3 * nowMs) / 1000 + 1e-6)
        }
      }),
    )
  })

  it('says exactly how long to wait', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0)
    expect(bucket.take(20, 0)).toBe(true)
    expect(bucket.waitMs(1, 0)).toBe(100)
    expect(bucket.take(1, 99)).toBe(false)
    expect(bucket.take(1, 100)).toBe(true)
    expect(bucket.fullInMs(100)).toBe(2_000)
  })

  it('lets what costs more than a burst pass for a burst', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0)
    expect(bucket.take(1_000, 0)).toBe(true)
    expect(bucket.level(0)).toBe(0)
  })

  it('does not fill up when the clock goes back', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 5_000)
    expect(bucket.take(1, 5_000)).toBe(true)
    expect(bucket.take(1, 0)).toBe(false)
    expect(bucket.take(1, 5_999)).toBe(false)
    expect(bucket.take(1, 6_000)).toBe(true)
  })
})

describe('sourceOf', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2ff::1', '2001:db8:1:200::/56'],
    ['2001:db8:1:200:5:6:7:8', '2001:db8:1:200::/56'],
    ['2001:db8:1:300::', '2001:db8:1:300::/56'],
    ['fe80::1%eth0', 'fe80::/56'],
    ['::1', '::1'],
    // The address as it is written behind some proxies.
    ['192.0.2.1:5678', '192.0.2.1'],
    ['[2001:db8:1:2ff::1]:443', '2001:db8:1:200::/56'],
    ['[2001:db8:1:2ff::1]', '2001:db8:1:200::/56'],
    ['[::ffff:192.0.2.1]:443', '192.0.2.1'],
    // NAT64, 6to4 and Teredo.
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['2002:c000:201:5::1', '192.0.2.1'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdfe', '192.0.2.1'],
    ['64:ff9b::127.0.0.1', '64:ff9b::/56'],
    ['::127.0.0.1', '::/56'],
    ['', 'unknown'],
    ['unknown', 'unknown'],
    ['_hidden', 'unknown'],
    ['192.0.2.1:', 'unknown'],
    ['192.0.2.256:80', 'unknown'],
    ['[192.0.2.1:80', 'unknown'],
  ])('counts %s as %s', (address, source) => {
    expect(sourceOf(address)).toBe(source)
  })

  it('knows this machine', () => {
    expect(
      ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'].every((address) =>
        isLoopbackSource(sourceOf(address)),
      ),
    ).toBe(true)
    const others = ['192.0.2.127', '::2', '::127.0.0.1', '64:ff9b::127.0.0.1', '2002:7f00:1::', 'localhost']
    for (const address of others) expect(isLoopbackSource(sourceOf(address))).toBe(false)
  })

  it('never throws, and says the same of an address with a port', () => {
    fc.assert(fc.property(fc.string(), (text) => sourceOf(text) !== ''))
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(0xffff), (ip, port) => sourceOf(`${ip}:${port}`) === sourceOf(ip)),
    )
    fc.assert(
      fc.property(fc.ipV6(), fc.nat(0xffff), (ip, port) => sourceOf(`[${ip}]:${port}`) === sourceOf(ip)),
    )
  })
})

describe('siteOf', () => {
  it.each([
    ['2001:db8:1:200::/56', '2001:db8:1::/48'],
    ['2001:db8:1:ff00::/56', '2001:db8:1::/48'],
    ['2001:db8:2:200::/56', '2001:db8:2::/48'],
    ['192.0.2.1', undefined],
    ['::1', undefined],
    ['unknown', undefined],
    ['x/56', undefined],
  ])('puts %s into %s', (source, site) => {
    expect(siteOf(source)).toBe(site)
  })
})

describe('refuseRequest', () => {
  const isRefused = (headers: { host?: string; origin?: string }, isLoopback: boolean, origins?: string[]) =>
    refuseRequest(headers, { isLoopback, origins }) !== undefined

  it('lets programs and pages of this machine reach a hub of this machine by its names', () => {
    for (const host of ['localhost:80', '127.0.0.1:80', '[::1]:80', '127.0.0.2']) {
      expect(isRefused({ host }, true)).toBe(false)
      expect(isRefused({ host, origin: `http://${host}` }, true)).toBe(false)
    }
  })

  it.each([
    {},
    { host: '' },
    { host: 'evil.example' },
    { host: 'localhost.' },
    { host: 'localhost', origin: 'null' },
    { host: 'localhost', origin: 'http://evil.example' },
    { host: 'localhost', origin: 'http://[' },
  ])('refuses %j at a hub of this machine', (headers) => {
    expect(isRefused(headers, true)).toBe(true)
  })

  it('lets anybody reach a hub with a public name, or pages of a list', () => {
    expect(isRefused({ host: 'x', origin: 'https://any.example' }, false)).toBe(false)
    expect(isRefused({ host: 'x', origin: 'https://any.example' }, false, ['https://a.example'])).toBe(true)
    expect(isRefused({ host: 'x' }, false, ['https://a.example'])).toBe(false)
  })
})

describe('limitsWith', () => {
  it('takes changes and keeps the rest', () => {
    expect(limitsWith({ pingMs: 1, pongMs: undefined })).toEqual({ ...defaultLimits, pingMs: 1 })
  })

  it.each([
    ['nothing', 1],
    ['toString', 1],
    ['pingMs', 0],
    ['pingMs', -1],
    ['pingMs', Number.NaN],
    ['pingMs', Infinity],
  ])('refuses %s of %d', (name, value) => {
    expect(() => limitsWith({ [name]: value })).toThrow(TypeError)
  })
})
