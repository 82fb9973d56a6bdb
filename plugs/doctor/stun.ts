import { classifyHost } from '../../core/ip.ts'
import type { WebRtc } from '#wrtc'
import { gather, type Enough, type FoundCandidate } from './gather.ts'
import type { Mapping } from './finding.ts'
import type { OneServer, Servers } from './servers.ts'

export interface StunExamination {
  /** Own addresses; names where a browser hides them. */
  readonly hosts: readonly string[]
  /** Those of them that are public. */
  readonly open: readonly string[]
  /** Those that answered, and as which address they saw this peer; WebRTC does not tell when that is its own. */
  readonly mapped: readonly { readonly server: OneServer; readonly address: string }[]
  /** Undefined when fewer than two places answered, or when a browser hides too much. */
  readonly mapping: Mapping | undefined
}

/** After the first server has answered: three tries of the others' question. */
const allAnswers: Enough = { type: 'srflx', lingerMs: 2_000 }
/** These are there at once. */
const allHosts: Enough = { type: 'host', lingerMs: 100 }

/** Asks each server alone, which tells who answers, and all of them from one socket, which tells the mapping. */
export async function examineStun(
  webRtc: WebRtc,
  { stun }: Servers,
  signal: AbortSignal,
): Promise<StunExamination> {
  const gatherFrom = (servers: readonly OneServer[], until: Enough) =>
    gather(webRtc, { iceServers: servers.map(({ server }) => server) }, until, signal)
  const [together, ...alone] = await Promise.all([
    gatherFrom(stun, stun.length === 0 ? allHosts : allAnswers),
    ...stun.map((server) => gatherFrom([server], { type: 'srflx' })),
  ])
  const mapped = stun.flatMap((server, index) => {
    const seen = alone[index]?.find(({ type }) => type === 'srflx')
    return seen === undefined ? [] : [{ server, address: seen.address }]
  })
  const hosts = together.filter(({ type }) => type === 'host').map(({ address }) => address)
  const open = hosts.filter((host) => classifyHost(host) === 'public')
  return { hosts, open, mapped, mapping: judgeMapping(together, mapped, open) }
}

/** One socket that is seen as two addresses depends on who looks. */
function judgeMapping(
  candidates: readonly FoundCandidate[],
  mapped: StunExamination['mapped'],
  open: readonly string[],
): Mapping | undefined {
  if (mapped.length === 0 && open.length > 0) return 'none'
  const places = new Set(mapped.map(({ server }) => server.host))
  const seen = candidates.filter(({ type }) => type === 'srflx')
  const sockets = new Set(seen.map(({ base }) => base))
  const hosts = candidates.filter(({ type }) => type === 'host')
  if (places.size < 2 || seen.length === 0) return undefined
  // Several sockets whose bases are hidden can't be told apart.
  if (sockets.has(undefined) && hosts.length > 1) return undefined
  const outsides = new Set(seen.map(({ base, address, port }) => `${base} ${address} ${port}`))
  return outsides.size > sockets.size ? 'dependent' : 'endpoint-independent'
}
