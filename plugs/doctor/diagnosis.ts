import type { Filtering, Finding, FindingName, Mapping } from './finding.ts'
import type { FilteringExamination } from './filtering.ts'
import type { HubVisit } from './hub-visit.ts'
import type { Servers, TurnTransport } from './servers.ts'
import type { StunExamination } from './stun.ts'
import type { TurnExamination } from './turn.ts'

/** What was seen. */
export interface Examination {
  readonly hubUrl: string
  readonly hub: HubVisit
  readonly servers: Servers
  /** Why there is no WebRTC here, and hence nothing below. */
  readonly webRtc: Error | undefined
  /** Whether time was up before the servers had theirs to answer. */
  readonly isCutShort?: boolean | undefined
  readonly stun?: StunExamination | undefined
  readonly turn?: TurnExamination | undefined
  /** Undefined when it could not be tried. */
  readonly filtering?: FilteringExamination | undefined
}

type Facts = Omit<Finding, 'name'>

/** The findings, each in a sentence. */
export function diagnose(seen: Examination): Finding[] {
  const udp = judgeUdp(seen)
  const all: Record<FindingName, Facts> = {
    hub: judgeHub(seen),
    registration: judgeRegistration(seen),
    webrtc: judgeWebRtc(seen),
    udp,
    address: judgeAddress(seen),
    mapping: judgeMapping(seen),
    filtering: judgeFiltering(seen),
    'turn-udp': judgeTurn(seen, 'udp'),
    'turn-tcp': judgeTurn(seen, 'tcp'),
    'turn-tls': judgeTurn(seen, 'tls'),
    relay: judgeRelay(seen),
    direct: judgeDirect(seen, udp),
  }
  return Object.entries(all).map(([name, facts]) => ({ name: name as FindingName, ...facts }))
}

function judgeHub({ hubUrl, hub }: Examination): Facts {
  const { welcomeMs, error } = hub
  const details = { url: hubUrl, welcomeMs, code: error?.code, message: error?.message }
  if (welcomeMs !== undefined) {
    return { state: 'yes', words: `The hub answers, after ${Math.round(welcomeMs)} ms.`, details }
  }
  if (error?.code === 'ABORTED') return unknown('The hub had not answered when time was up.', details)
  return {
    state: 'no',
    words: `The hub does not answer: ${error?.message ?? 'it is silent'}.`,
    remedy: 'Check its address, and that a firewall or proxy lets WebSockets to it through.',
    details,
  }
}

function judgeRegistration({ hub }: Examination): Facts {
  const { isRegistered, welcomeMs, error } = hub
  const details = { code: error?.code, message: error?.message }
  if (isRegistered) return { state: 'yes', words: 'The hub takes registrations.', details }
  if (welcomeMs === undefined) return unknown('Nothing could be registered without the hub.', details)
  if (error?.code !== 'HUB_REFUSED') return unknown('The registration was not answered.', details)
  return {
    state: 'no',
    words: `The hub refuses registrations: ${error.message}.`,
    remedy: 'Its operator must list the address that you use among its names (HUB_NAMES).',
    details,
  }
}

function judgeWebRtc({ webRtc }: Examination): Facts {
  if (webRtc === undefined) return { state: 'yes', words: 'WebRTC works here.', details: {} }
  return {
    state: 'no',
    words: `There is no WebRTC here: ${webRtc.message}`,
    remedy: 'On Node install the optional package wrtc; a browser may forbid WebRTC by a policy.',
    details: { message: webRtc.message },
  }
}

function judgeUdp({ stun, turn, servers, isCutShort = false }: Examination): Facts {
  const relayed = servers.turn.some(({ url, transport }) => transport === 'udp' && turn?.has(url) === true)
  const details = {
    asked: servers.stun.map(({ url }) => url),
    answered: stun?.mapped.map(({ server }) => server.url) ?? [],
  }
  if (relayed || details.answered.length > 0) {
    return { state: 'yes', words: 'UDP goes out, and answers come back.', details }
  }
  if (stun === undefined) return unknown('Without WebRTC, UDP could not be tried.', details)
  if (details.asked.length === 0) return unknown('No STUN or TURN server is known to try UDP with.', details)
  if (isCutShort) return unknown('No server had answered over UDP when time was up.', details)
  // A server sees what WebRTC does not tell: an address that is not translated at all.
  if (stun.open.length > 0) {
    return unknown('No server answered over UDP with another address than this machine has.', details)
  }
  return {
    state: 'no',
    words: 'No server answered over UDP: a firewall blocks it, or all of them are down.',
    remedy: 'Let UDP out, or offer TURN over TCP or TLS, or a hub that relays.',
    details,
  }
}

function judgeAddress({ stun }: Examination): Facts {
  const addresses = [...new Set(stun?.mapped.map(({ address }) => address))]
  const hosts = stun?.hosts ?? []
  const details = { addresses, hosts }
  if (addresses.length > 0) {
    return { state: 'yes', words: `Others see this peer as ${addresses.join(' and ')}.`, details }
  }
  const open = stun?.open ?? []
  if (open.length > 0) {
    return {
      state: 'yes',
      words: `This peer has a public address of its own: ${open.join(' and ')}.`,
      details,
    }
  }
  return unknown('No STUN server said as which address others see this peer.', details)
}

function judgeMapping({ stun }: Examination): Facts {
  const mapping: Mapping | undefined = stun?.mapping
  const places = [...new Set(stun?.mapped.map(({ server }) => server.host))]
  const details = { mapping, places }
  switch (mapping) {
    case 'none':
      return { state: 'yes', words: 'There is no NAT: the address of this machine is public.', details }
    case 'endpoint-independent':
      return {
        state: 'yes',
        words: 'The NAT keeps one outer port for all destinations (endpoint-independent mapping).',
        details,
      }
    case 'dependent':
      return {
        state: 'no',
        words: 'The NAT takes another outer port for each destination (a symmetric NAT).',
        remedy:
          'Use TURN or a hub that relays; or forward UDP, or turn on PCP or full-cone NAT, in the router.',
        details,
      }
    default:
      return unknown(
        places.length < 2
          ? 'The mapping of the NAT shows only to two servers at different addresses that answer.'
          : 'The mapping of the NAT can not be seen: this browser hides which answer belongs to which network.',
        details,
      )
  }
}

function judgeFiltering({ filtering: tried }: Examination): Facts {
  const filtering: Filtering | undefined = tried?.filtering
  const details = { filtering, hasElsewhere: tried?.hasElsewhere ?? false }
  switch (filtering) {
    case 'endpoint-independent':
      return {
        state: 'yes',
        words: 'The NAT lets in whoever sends to an open port (endpoint-independent filtering).',
        details,
      }
    case 'address-dependent':
      return {
        state: 'yes',
        words:
          tried?.hasElsewhere === true
            ? 'The NAT lets in addresses that were sent to, from any port (address-dependent filtering).'
            : 'The NAT lets in other ports of an address that was sent to, and perhaps more.',
        details,
      }
    case 'address-and-port-dependent':
      return {
        state: 'no',
        words: 'The NAT lets in only what was sent to (address- and port-dependent filtering).',
        details,
      }
    default:
      return unknown(
        'Whom the NAT lets in can only be tried with UDP and a TURN server that answers.',
        details,
      )
  }
}

const turnNames: Readonly<Record<TurnTransport, string>> = { udp: 'UDP', tcp: 'TCP', tls: 'TLS' }

function judgeTurn({ servers, turn, hub, isCutShort = false }: Examination, transport: TurnTransport): Facts {
  const asked = servers.turn.filter((each) => each.transport === transport).map(({ url }) => url)
  const relays = asked.flatMap((url) => turn?.get(url) ?? [])
  const details = { asked, relays }
  const name = `TURN over ${turnNames[transport]}`
  if (relays.length > 0) return { state: 'yes', words: `${name} works.`, details }
  if (asked.length === 0) {
    const why = hub.isRegistered ? 'the hub names no such server' : 'no such server is known'
    return unknown(`${name} could not be tried: ${why}.`, details)
  }
  if (turn === undefined) return unknown(`${name} could not be tried without WebRTC.`, details)
  if (isCutShort) return unknown(`${name} gave no relayed address before time was up.`, details)
  return {
    state: 'no',
    words: `${name} does not work: no server gave a relayed address.`,
    remedy: 'The network may block it; else the server is down, or its secret or certificate is wrong.',
    details,
  }
}

function judgeRelay({ hub }: Examination): Facts {
  if (hub.relay === undefined) return unknown('The hub did not say whether it relays.', {})
  if (hub.relay) return { state: 'yes', words: 'The hub offers to relay.', details: {} }
  return {
    state: 'no',
    words: 'The hub does not relay.',
    remedy: 'Peers without a direct way need TURN, or a hub that relays.',
    details: {},
  }
}

/** What follows from the others. */
function judgeDirect({ stun, filtering: tried }: Examination, udp: Facts): Facts {
  const details = { mapping: stun?.mapping, filtering: tried?.filtering }
  if (udp.state === 'no') {
    return {
      state: 'no',
      words: 'Direct connections need UDP.',
      remedy: 'Use TURN over TCP or TLS, or a hub that relays.',
      details,
    }
  }
  if (udp.state === 'unknown' || stun?.mapping === undefined) {
    return unknown(
      'Which direct connections open depends on the mapping of the NAT, which is not known.',
      details,
    )
  }
  if (stun.mapping !== 'dependent') {
    const but =
      tried?.filtering === 'address-and-port-dependent' ? ', except those behind a symmetric NAT' : ''
    const whom = tried?.filtering === undefined ? 'most peers that have UDP' : `all peers that have UDP${but}`
    return { state: 'yes', words: `Direct connections open with ${whom}.`, details }
  }
  return {
    state: 'no',
    words: 'Direct connections open only with peers whose NAT lets in any port of an address.',
    remedy: 'With others this peer needs TURN, or a hub that relays.',
    details,
  }
}

function unknown(words: string, details: Facts['details']): Facts {
  return { state: 'unknown', words, details }
}
