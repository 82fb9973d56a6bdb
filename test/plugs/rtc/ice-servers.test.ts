import { describe, expect, it } from 'vitest'
import { acceptIceServers, withoutTurn } from '../../../plugs/rtc/ice-servers.ts'

const PUBLIC = 'hub.example.com'
const credential = { username: '1:ab', credential: 'secret' }

describe('the ICE servers of a hub', () => {
  it.each([
    ['stun:stun.example.com', 'stun:stun.example.com'],
    ['STUN:Stun.Example.com:03478', 'stun:stun.example.com:3478'],
    ['turn:192.0.2.1:3478?transport=udp', 'turn:192.0.2.1:3478?transport=udp'],
    ['turns:[2001:db8::1]:443?transport=tcp', 'turns:[2001:db8::1]:443?transport=tcp'],
  ])('may be %s', (url, rebuilt) => {
    expect(acceptIceServers([{ urls: [url], ...credential }], PUBLIC)).toEqual([
      { urls: [rebuilt], ...credential },
    ])
  })

  it.each([
    'stun:a b',
    ...words(`
      http://a.example stuns:a.example stun: stun:a.example:0 stun:a.example:65536
      stun://a.example stun:user@a.example stun:a.example?transport=udp
      turn:a.example?transport=sctp turn:a.example?x=y turn:a.example/path stun:[1.2.3.4]
      stun:[::1 stun:2001:db8::1 stun:2130706433 stun:0x7f.1 stun:127.1 stun:169.254.169.254
      stun:[fe80::1] stun:0.0.0.0 stun:127.0.0.1 stun:localhost stun:LOCALHOST. stun:[::1]
      stun:[::ffff:127.0.0.1] stun:10.0.0.1 stun:192.168.1.1:3478 stun:[fd00::1]
      stun:router.local stun:[::ffff:10.0.0.1]
    `),
  ])('are never %s when the hub is public', (url) => {
    expect(acceptIceServers([{ urls: [url], ...credential }], PUBLIC)).toEqual([])
  })

  it.each(['10.1.2.3', '[fd00::2]', 'hub.local', 'localhost', '127.0.0.1'])(
    'may be private when the hub is %s',
    (hub) => {
      expect(acceptIceServers([{ urls: ['stun:10.0.0.1'] }], hub)).toEqual([{ urls: ['stun:10.0.0.1'] }])
    },
  )

  it('may be on this machine only when the hub is', () => {
    const servers = [{ urls: ['stun:127.0.0.1:3478', 'stun:localhost'] }]
    expect(acceptIceServers(servers, '[::1]')).toEqual(servers)
    expect(acceptIceServers(servers, '10.0.0.1')).toEqual([])
  })

  it('are left out where TURN has no credentials', () => {
    expect(acceptIceServers([{ urls: ['turn:a.example', 'stun:a.example'] }], PUBLIC)).toEqual([
      { urls: ['stun:a.example'] },
    ])
  })

  it('have eight URLs in all', () => {
    const five = { urls: Array.from({ length: 5 }, (_, index) => `stun:s${index}.example`) }
    const accepted = acceptIceServers([five, { urls: ['bad'] }, five, five], PUBLIC)
    expect(accepted.map(({ urls }) => urls.length)).toEqual([5, 3])
  })
})

describe('ICE servers without TURN', () => {
  const turn = { urls: ['turn:a.example:3478', 'turns:a.example?transport=tcp'], ...credential }

  it('are those of STUN, without credentials', () => {
    const stun = ['stun:b.example', 'stun:[2001:db8::1]:3478']
    expect(
      withoutTurn([turn, { urls: ['stun:b.example'] }, { urls: [stun[1] ?? ''], ...credential }]),
    ).toEqual([{ urls: stun }])
  })

  it.each([
    ['turn:a.example', ['stun:a.example']],
    ['turn:[2001:db8::1]:3478?transport=udp', ['stun:[2001:db8::1]:3478']],
    ['turn:a.example?transport=tcp', []],
    ['turns:a.example', []],
  ])('ask %s for no more than an address where there is no STUN', (url, urls) => {
    expect(withoutTurn([{ urls: [url], ...credential }]).flatMap((each) => each.urls)).toEqual(urls)
    expect(withoutTurn([{ urls: [url], ...credential }]).every((each) => !('credential' in each))).toBe(true)
  })

  it('are none where there are none', () => {
    expect(withoutTurn([])).toEqual([])
  })
})

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
