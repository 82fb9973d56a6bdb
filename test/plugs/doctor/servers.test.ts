import { describe, expect, it } from 'vitest'
import { listServers } from '../../../plugs/doctor/servers.ts'

const named = { username: 'name', credential: 'word' }

describe('the servers to ask', () => {
  it('are asked one URL at a time, with its credentials', () => {
    const { stun, turn } = listServers([
      { urls: ['stun:a.example', 'turn:b.example:3479?transport=tcp'], ...named },
    ])
    expect(stun).toEqual([{ url: 'stun:a.example', host: 'a.example', server: { urls: ['stun:a.example'] } }])
    const url = 'turn:b.example:3479?transport=tcp'
    expect(turn).toMatchObject([
      { url, host: 'b.example', transport: 'tcp', server: { urls: [url], ...named } },
    ])
  })

  it('are STUN servers too, where they are TURN servers over UDP', () => {
    const urls = [
      'turn:a.example',
      'turn:a.example?transport=udp',
      'turns:[2001:db8::1]:443',
      'turn:[2001:db8::2]:1',
    ]
    const { stun, turn } = listServers([{ urls, ...named }])
    expect(stun.map(({ url, host }) => [url, host])).toEqual([
      ['stun:a.example', 'a.example'],
      ['stun:[2001:db8::2]:1', '[2001:db8::2]'],
    ])
    expect(turn.map(({ transport }) => transport)).toEqual(['udp', 'udp', 'tls', 'udp'])
  })

  it('are not those that WebRTC would throw for', () => {
    expect(listServers([{ urls: ['turn:a.example', 'https://a.example', 'stun:', ''] }])).toEqual({
      stun: [],
      turn: [],
    })
  })

  it('are no more than a hub may name', () => {
    const urls = Array.from({ length: 100 }, (_, index) => `stun:${index}.example`)
    expect(listServers([{ urls }]).stun).toHaveLength(8)
  })
})
