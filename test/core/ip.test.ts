import fc from 'fast-check'
import { isIP } from 'node:net'
import { describe, expect, it } from 'vitest'
import { classifyHost, classifyIp, formatIp, parseIp, type IpKind } from '../../core/ip.ts'

describe('an IP literal', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201'],
  ])('%s is read and printed as %s', (text, printed) => {
    const ip = parseIp(text)
    expect(ip && formatIp(ip)).toBe(printed)
  })

  it.each([
    '',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    ...words(`
      1 127.1 2130706433 0x7f.0.0.1 0177.0.0.1 01.2.3.4 1.2.3.256 1.2.3.4.5 1.2.3. 1..2.3
      -1.2.3.4 1e0.2.3.4 １.2.3.4 : ::: 1::2::3 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4::5:6:7:8
      :1:: 1::2: fe80::1%eth0 [::1] ::12345 ::g ::1.2.3 1.2.3.4:: ::1.2.3.4:5 ::01.2.3.4
    `),
  ])('%j is none', (text) => {
    expect(parseIp(text)).toBeNull()
  })

  it('is what Node takes for one, zones aside', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefF:.%x ')), maxLength: 40 }),
    )
    fc.assert(
      fc.property(text, (candidate) => {
        expect(parseIp(candidate) !== null).toBe(isIP(candidate) !== 0 && !candidate.includes('%'))
      }),
      { numRuns: 20_000 },
    )
  })

  it('comes back from its printed form', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc
        .array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((all) => Uint8Array.from(all)),
    )
    fc.assert(
      fc.property(bytes, (ip) => {
        expect(parseIp(formatIp(ip))).toEqual(ip)
      }),
      { numRuns: 10_000 },
    )
  })
})

describe('the kind of an address', () => {
  const kinds: Record<IpKind, string[]> = {
    public: words(`
        1.1.1.1 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0
        100.63.255.255 100.128.0.0 223.255.255.255 203.0.113.7 168.63.129.15 168.63.129.17
        2001:db8::1 2606:4700::1111 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:101:101::1 1::
      `),
    private: words(`
        10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.201 192.0.0.4
        198.19.255.255 fc00::1 fd00::2 fd00:ec2::253 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 ::10.0.0.1
        2002:a00:1:: 2001:0:1:2:3:4:f5ff:fffe 64:ff9b:1::1
      `),
    loopback: words(`
        127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1
        2002:7f00:1:: 2001::80ff:fffe
      `),
    refused: words(`
        0.0.0.0 0.1.2.3 169.254.0.1 169.254.169.254 224.0.0.251 239.255.255.250 240.0.0.1
        255.255.255.255 192.0.0.192 100.100.100.200 168.63.129.16 fd00:ec2::254 :: ::2 fe80::1
        febf::1 fec0::1 feff::1 ff02::fb ::ffff:0.0.0.0 ::ffff:169.254.169.254
        64:ff9b::169.254.169.254 2002:a9fe:a9fe::1 2001::5601:5601 64:ff9b::168.63.129.16
      `),
  }

  for (const [kind, addresses] of Object.entries(kinds)) {
    it.each(addresses)(`of %s is ${kind}`, (address) => {
      const ip = parseIp(address)
      expect(ip && classifyIp(ip)).toBe(kind)
    })
  }
})

describe('the kind of a host', () => {
  it.each([
    ['hub.example.com', 'public'],
    ['hub.example.com.', 'public'],
    ['HUB', 'public'],
    ['1.1.1.1', 'public'],
    ['[2001:db8::1]', 'public'],
    ['2001:db8::1', 'public'],
    ['printer.local', 'private'],
    ['[fd00::1]', 'private'],
    ['localhost', 'loopback'],
    ['LocalHost.', 'loopback'],
    ['a.localhost', 'loopback'],
    ['[::1]', 'loopback'],
    ['169.254.169.254', 'refused'],
    ['2130706433', 'refused'],
    ['0x7f000001', 'refused'],
    ['127.1', 'refused'],
    ['0177.0.0.1', 'refused'],
    ['', 'refused'],
    ['a b', 'refused'],
    ['a..b', 'refused'],
    ['[1.1.1.1]', 'refused'],
    ['[fe80::1%eth0]', 'refused'],
    ['-a.example', 'refused'],
    [`${'a'.repeat(64)}.example`, 'refused'],
  ])('%s is %s', (host, kind) => {
    expect(classifyHost(host)).toBe(kind)
  })
})

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
