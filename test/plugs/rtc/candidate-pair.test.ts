import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { describePair, watchPair, type PairFacts } from '../../../plugs/rtc/candidate-pair.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the pair of candidates in use', () => {
  it.each([
    ['host', 'host', 'direct'],
    ['srflx', 'prflx', 'direct'],
    ['relay', 'srflx', 'turn'],
    ['host', 'relay', 'turn'],
  ])('of %s and %s makes a path that is %s', async (local, remote, kind) => {
    const facts = await describePair(connectionWith(() => [local, remote]))
    expect(facts).toMatchObject({ kind, candidates: { local, remote } })
  })

  it('that nobody knows counts as direct', async () => {
    expect(await describePair(undefined)).toMatchObject({ kind: 'direct', candidates: undefined })
    const broken = { getStats: () => Promise.reject(new Error('closed')) } as unknown as RTCPeerConnection
    expect(await describePair(broken)).toMatchObject({ kind: 'direct', candidates: undefined })
  })

  it('is looked at again until ICE has settled, or the path is over', async () => {
    let types: [string, string] = ['relay', 'host']
    const seen: PairFacts[] = []
    const stop = watchPair(
      connectionWith(() => types),
      (facts) => seen.push(facts),
    )
    const [first, second] = limits.session.lookAtPairMs
    await vi.advanceTimersByTimeAsync(first)
    types = ['host', 'host']
    await vi.advanceTimersByTimeAsync(second - first)
    expect(seen.map(({ kind }) => kind)).toEqual(['turn', 'direct'])
    stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

/** A connection with one pair of candidates of these types. */
function connectionWith(types: () => readonly [string, string]): RTCPeerConnection {
  const getStats = () => {
    const [local, remote] = types()
    const reports = [
      { id: 'T', selectedCandidatePairId: 'P' },
      { id: 'P', localCandidateId: 'L', remoteCandidateId: 'R' },
      { id: 'L', candidateType: local },
      { id: 'R', candidateType: remote, address: '192.0.2.7' },
    ]
    return Promise.resolve(new Map(reports.map((report) => [report.id, report])))
  }
  return { getStats } as unknown as RTCPeerConnection
}
