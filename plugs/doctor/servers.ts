import type { IceServer } from '../../core/hub-protocol.ts'
import { limits } from '../../core/limits.ts'

export type TurnTransport = 'udp' | 'tcp' | 'tls'

/** One URL, to be asked alone: an RTCPeerConnection with several does not say which of them answered. */
export interface OneServer {
  readonly url: string
  /** As it stands in the URL. */
  readonly host: string
  readonly server: RTCIceServer
}

export interface TurnServer extends OneServer {
  readonly transport: TurnTransport
}

export interface Servers {
  /** Those, and TURN servers over UDP, which answer the same question (RFC 8656, section 3.1). */
  readonly stun: readonly OneServer[]
  readonly turn: readonly TurnServer[]
}

/** As many as a hub may name; each that is asked costs a WebRTC connection. */
export function listServers(servers: readonly IceServer[]): Servers {
  const urls = servers.flatMap((server) => server.urls.map((url) => ({ url, ...server })))
  const read = urls.slice(0, limits.signal.iceServerUrls).flatMap((each) => readServer(each) ?? [])
  const turn = read.filter((each) => each.transport !== undefined)
  const asStun = read.filter(({ transport }) => transport === undefined || transport === 'udp').map(toStun)
  return { turn: turn as TurnServer[], stun: [...new Map(asStun.map((each) => [each.url, each])).values()] }
}

interface ReadServer extends OneServer {
  readonly place: string
  /** Undefined: it is a STUN server. */
  readonly transport: TurnTransport | undefined
}

const URL_FORM = /^(stun|turns?):(\[[^\]]+\]|[^:?]+)(:\d+)?(?:\?transport=(udp|tcp))?$/i

function readServer({
  url,
  username,
  credential,
}: {
  url: string
  username?: string | undefined
  credential?: string | undefined
}): ReadServer | null {
  const match = URL_FORM.exec(url.toLowerCase())
  if (match === null) return null
  const [, scheme, host = '', port = '', asked] = match
  const place = `${host}${port}`
  if (scheme === 'stun') return { url, host, place, transport: undefined, server: { urls: [url] } }
  if (username === undefined || credential === undefined) return null
  const transport = scheme === 'turns' ? 'tls' : asked === 'tcp' ? 'tcp' : 'udp'
  return { url, host, place, transport, server: { urls: [url], username, credential } }
}

function toStun({ host, place }: ReadServer): OneServer {
  const url = `stun:${place}`
  return { url, host, server: { urls: [url] } }
}
