import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CandidateFilter, rebuildCandidate } from '../../../plugs/rtc/candidates.ts'

const open: CandidateFilter = { loopbackHub: false, privateCandidates: true, relayOnly: false }
const MDNS = '184cdc6e-bbed-4b94-9844-2085e3501a4c.local'

describe('a rebuilt candidate', () => {
  it.each([
    [
      'of wrtc',
      'candidate:3229573512 1 udp 2122194687 192.0.2.2 33380 typ host generation 0 ufrag ykVs network-id 1',
      'candidate:3229573512 1 udp 2122194687 192.0.2.2 33380 typ host',
    ],
    [
      'of wrtc, IPv6',
      'candidate:3077952869 1 udp 2122265343 fd00::2 57143 typ host generation 0 ufrag ykVs network-id 2',
      'candidate:3077952869 1 udp 2122265343 fd00::2 57143 typ host',
    ],
    [
      'of Chromium, by multicast DNS',
      `candidate:1286591205 1 udp 2113937151 ${MDNS} 41164 typ host generation 0 ufrag 8J7D network-cost 999`,
      `candidate:1286591205 1 udp 2113937151 ${MDNS} 41164 typ host network-cost 999`,
    ],
    [
      'of Chromium, as a STUN server saw it',
      'candidate:842163049 1 udp 1677729535 203.0.113.7 41234 typ srflx raddr 192.168.1.20 rport 54597 generation 0 network-cost 10',
      'candidate:842163049 1 udp 1677729535 203.0.113.7 41234 typ srflx raddr 0.0.0.0 rport 0 network-cost 10',
    ],
    [
      'of Firefox, in capitals',
      `candidate:0 1 UDP 2122252543 ${MDNS} 49104 typ host`,
      `candidate:0 1 udp 2122252543 ${MDNS} 49104 typ host`,
    ],
    [
      'of Firefox, from a TURN server',
      'candidate:3 1 UDP 92217087 158.69.221.198 55324 typ relay raddr 158.69.221.198 rport 55324',
      'candidate:3 1 udp 92217087 158.69.221.198 55324 typ relay raddr 0.0.0.0 rport 0',
    ],
    [
      'with IPv6 from a TURN server',
      'candidate:3 1 udp 92217087 2001:DB8::7 55324 typ relay raddr fd00::1 rport 55324',
      'candidate:3 1 udp 92217087 2001:db8::7 55324 typ relay raddr :: rport 0',
    ],
    [
      'with a space behind it',
      'candidate:1 1 udp 1 192.0.2.1 1 typ host ',
      'candidate:1 1 udp 1 192.0.2.1 1 typ host',
    ],
    [
      'with numbers in a longer form',
      'candidate:1 1 udp 07 192.0.2.1 007 typ prflx',
      'candidate:1 1 udp 7 192.0.2.1 7 typ prflx raddr 0.0.0.0 rport 0',
    ],
  ])('%s', (_name, text, rebuilt) => {
    expect(rebuildCandidate(text, open)).toBe(rebuilt)
    expect(rebuildCandidate(rebuilt, open)).toBe(rebuilt)
  })

  it.each([
    '',
    'candidate:',
    'a=candidate:1 1 udp 1 192.0.2.1 1 typ host',
    'candidate:4193659285 1 tcp 1518285567 192.0.2.2 36455 typ host tcptype passive generation 0',
    'candidate:1 1 ssltcp 1 192.0.2.1 1 typ host',
    'candidate:1 2 udp 1 192.0.2.1 1 typ host',
    'candidate:1 01 udp 1 192.0.2.1 1 typ host',
    'candidate:1 1 udp 0 192.0.2.1 1 typ host',
    'candidate:1 1 udp 2147483648 192.0.2.1 1 typ host',
    'candidate:1 1 udp -1 192.0.2.1 1 typ host',
    'candidate:1 1 udp 1 192.0.2.1 0 typ host',
    'candidate:1 1 udp 1 192.0.2.1 65536 typ host',
    'candidate:1 1 udp 1 192.0.2.1 1 typ',
    'candidate:1 1 udp 1 192.0.2.1 1 typ unknown',
    'candidate:1 1 udp 1 192.0.2.1 1 typ host generation',
    'candidate:1 1 udp 1  192.0.2.1 1 typ host',
    'candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=ice-lite',
    'candidate:1 1 udp 1 192.0.2.1\n 1 typ host',
    'candidate: 1 udp 1 192.0.2.1 1 typ host',
    `candidate:${'1'.repeat(33)} 1 udp 1 192.0.2.1 1 typ host`,
    'candidate:é 1 udp 1 192.0.2.1 1 typ host',
    'candidate:1 1 udp 1 example.com 1 typ host',
    'candidate:1 1 udp 1 localhost 1 typ host',
    'candidate:1 1 udp 1 printer.local 1 typ host',
    `candidate:1 1 udp 1 ${MDNS}.example.com 1 typ host`,
    `candidate:1 1 udp 1 x${MDNS} 1 typ host`,
    'candidate:1 1 udp 1 2130706433 1 typ host',
    'candidate:1 1 udp 1 0x7f.1 1 typ host',
    'candidate:1 1 udp 1 192.0.2.01 1 typ host',
    'candidate:1 1 udp 1 [2001:db8::1] 1 typ host',
    'candidate:1 1 udp 1 fe80::1%eth0 1 typ host',
    `candidate:1 1 udp 1 192.0.2.1 1 typ host ${'x y '.repeat(300)}`,
  ])('is none of %j', (text) => {
    expect(rebuildCandidate(text, open)).toBeNull()
  })

  it.each(
    words(`
      0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 255.255.255.255 240.0.0.1 192.0.0.192
      100.100.100.200 168.63.129.16 :: fe80::1 fec0::1 ff02::1 fd00:ec2::254
      ::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::
      2001::5601:5601
    `),
  )('never names %s', (address) => {
    for (const loopbackHub of [true, false]) {
      expect(rebuildCandidate(host(address), { ...open, loopbackHub })).toBeNull()
    }
  })

  it.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'])(
    'names %s only while the hub is on this machine',
    (address) => {
      expect(rebuildCandidate(host(address), open)).toBeNull()
      expect(rebuildCandidate(host(address), { ...open, loopbackHub: true })).not.toBeNull()
    },
  )

  it.each(['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1', MDNS])(
    'names %s unless private candidates are off',
    (address) => {
      expect(rebuildCandidate(host(address), open)).not.toBeNull()
      expect(rebuildCandidate(host(address), { ...open, privateCandidates: false })).toBeNull()
    },
  )

  it('is one from a TURN server when only those may be', () => {
    const relayOnly = { ...open, relayOnly: true }
    for (const type of ['host', 'srflx', 'prflx']) {
      expect(rebuildCandidate(`candidate:1 1 udp 1 192.0.2.1 1 typ ${type}`, relayOnly)).toBeNull()
    }
    const relayed = 'candidate:1 1 udp 1 192.0.2.1 1 typ relay raddr 198.51.100.1 rport 5'
    expect(rebuildCandidate(relayed, relayOnly)).toBe(
      'candidate:1 1 udp 1 192.0.2.1 1 typ relay raddr 0.0.0.0 rport 0',
    )
  })

  it('is fixed by its first rebuilding and never throws, whatever comes', () => {
    fc.assert(
      fc.property(arbitraryCandidate(), arbitraryFilter(), (text, filter) => {
        const rebuilt = rebuildCandidate(text, filter)
        if (rebuilt === null) return
        expect(rebuildCandidate(rebuilt, filter)).toBe(rebuilt)
        expect(rebuilt).toMatch(
          /^candidate:[\w+/]+ 1 udp \d+ [0-9a-f:.-]+(?:local)? \d+ typ (?:host|(?:srflx|prflx|relay) raddr (?:::|0\.0\.0\.0) rport 0)(?: network-cost \d+)?$/,
        )
      }),
      { numRuns: 35_000 },
    )
  })
})

function host(address: string): string {
  return `candidate:1 1 udp 2122260223 ${address} 50000 typ host`
}

function arbitraryFilter(): fc.Arbitrary<CandidateFilter> {
  return fc.record({ loopbackHub: fc.boolean(), privateCandidates: fc.boolean(), relayOnly: fc.boolean() })
}

/** Right ones, nearly right ones, ones with a bit of damage, and anything. */
function arbitraryCandidate(): fc.Arbitrary<string> {
  const right = fc
    .tuple(
      fc.constantFrom('1', 'aZ+/', '3229573512'),
      fc.constantFrom('udp', 'UDP', 'udp', 'udp', 'tcp'),
      fc.oneof({ weight: 9, arbitrary: fc.nat(0x7fffffff) }, fc.nat(0xffffffff)),
      fc.oneof(
        fc.ipV4(),
        fc.ipV6(),
        fc.uuid().map((uuid) => `${uuid}.local`),
        fc.constantFrom(MDNS, '127.0.0.1', 'x.local'),
      ),
      fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 65_535 }) }, fc.nat(100_000)),
      fc.constantFrom('host', 'srflx', 'relay', 'relay', 'prflx', 'x'),
      fc.constantFrom(
        '',
        ' raddr 10.0.0.1 rport 9',
        ' generation 0 network-cost 50',
        ' network-cost',
        ' x y',
        ' ',
      ),
    )
    .map(([foundation, protocol, priority, address, port, type, more]) =>
      [`candidate:${foundation} 1`, protocol, priority, address, port, 'typ', type].join(' ').concat(more),
    )
  const damaged = fc
    .tuple(
      right,
      fc.nat(),
      fc.nat(4),
      fc.string({ unit: fc.constantFrom(...Array.from(' 019afe:.%\n')), maxLength: 3 }),
    )
    .map(([text, at, length, other]) => {
      const index = at % text.length
      return text.slice(0, index) + other + text.slice(index + length)
    })
  return fc.oneof(
    { weight: 4, arbitrary: right },
    { weight: 4, arbitrary: damaged },
    fc.string({ maxLength: 200 }),
  )
}

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
