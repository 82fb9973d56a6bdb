import { isLoopbackSource, parseIp, sourceOf } from '../../core/ip.ts'
import { limits } from '../../core/limits.ts'
import type { CandidateTypes, FramePath } from './frame-path.ts'

/** What the pair of candidates in use makes of a path. */
export type PairFacts = Pick<FramePath, 'kind' | 'source' | 'candidates'>

/** `turn` when either end of the pair in use is a relayed one. What can't be told counts as direct. */
export async function describePair(connection: RTCPeerConnection | undefined): Promise<PairFacts> {
  const reports = new Map<string, Record<string, unknown>>()
  const stats = await connection?.getStats().catch(() => undefined)
  stats?.forEach((report: { id: string }) => reports.set(report.id, { ...report }))
  const transport = [...reports.values()].find((report) => report['selectedCandidatePairId'] !== undefined)
  const pair = reports.get(String(transport?.['selectedCandidatePairId']))
  const local = reports.get(String(pair?.['localCandidateId']))
  const remote = reports.get(String(pair?.['remoteCandidateId']))
  const types = { local: local?.['candidateType'], remote: remote?.['candidateType'] }
  const candidates = areTexts(types) ? types : undefined
  if (types.remote === 'relay') return { kind: 'turn', candidates }
  const address = remote?.['address'] ?? remote?.['ip']
  const source = typeof address === 'string' && parseIp(address) !== null ? sourceOf(address) : undefined
  return {
    kind: types.local === 'relay' ? 'turn' : 'direct',
    source: source === undefined || isLoopbackSource(source) ? undefined : source,
    candidates,
  }
}

/**
 * Looks at the pair again now and then, for ICE may open over TURN and find the direct way later. wrtc has no event for that.
 * The returned function stops it.
 */
export function watchPair(
  connection: RTCPeerConnection | undefined,
  onFacts: (facts: PairFacts) => void,
): () => void {
  let isOver = false
  const look = () => {
    void describePair(connection).then((facts) => {
      if (!isOver && facts.candidates !== undefined) onFacts(facts)
    })
  }
  const timers = limits.session.lookAtPairMs.map((ms) => setTimeout(look, ms))
  return () => {
    isOver = true
    for (const timer of timers) clearTimeout(timer)
  }
}

function areTexts(types: { local: unknown; remote: unknown }): types is CandidateTypes {
  return typeof types.local === 'string' && typeof types.remote === 'string'
}
