import { describe, expect, it } from 'vitest'
import { Roster } from '../../cli/demo/roster.ts'
import { toBase64 } from '../../core/bytes.ts'
import { addressOf, closeBoth, keys, startPair } from './recorded-talk.ts'

describe('the roster', () => {
  it('tells everyone who is there, itself first, and when somebody goes', async () => {
    const roster = new Roster(() => ({ kind: 'server', name: 'server', address: addressOf(0), links: [] }))
    const [server, peer] = startPair()
    roster.add('key', await server.hello, server.talk)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob'])
    const [server2, peer2] = startPair()
    const hello = await server2.hello
    expect(roster.add('other', { ...hello, name: 'carol' }, server2.talk)).toBe(true)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob', 'carol'])
    expect(roster.remove('other', server.talk)).toBe(false)
    expect(roster.remove('other', server2.talk)).toBe(true)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob'])
    await Promise.all([closeBoth(server, peer), closeBoth(server2, peer2)])
  })

  it('tells where somebody can be dialed now at once, and how they are linked a little later', async () => {
    const roster = new Roster(() => ({ kind: 'server', name: 'server', address: addressOf(0), links: [] }))
    const [server, peer] = startPair()
    roster.add('key', await server.hello, server.talk)
    await peer.roster()
    const links = [{ to: toBase64(keys[0]), over: 'net', strength: 2, bytesPerSecond: 5 }] as const
    roster.update('key', server.talk, `${addressOf(1)};${addressOf(1)}`, [])
    expect((await peer.roster())[1]?.address).toContain(';')
    roster.update('key', server.talk, `${addressOf(1)};${addressOf(1)}`, links)
    expect((await peer.roster())[1]?.links).toEqual(links)
    // By a talk that is not the one.
    roster.update('key', peer.talk, '', [])
    roster.add('key', await server.hello, server.talk)
    expect((await peer.roster()).length).toBe(2)
    await closeBoth(server, peer)
  })
})
