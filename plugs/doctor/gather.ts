import type { WebRtc } from '#wrtc'

/** An ICE candidate as it is found, related address included: it never leaves this machine. */
export interface FoundCandidate {
  /** As WebRTC takes it back. */
  readonly text: string
  readonly type: string
  readonly address: string
  readonly port: string
  /** Of which own socket it is the outside; browsers hide it. */
  readonly base: string | undefined
}

const CANDIDATE = /^candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (\w+)(?:.* raddr (\S+) rport (\d+))?/i

/** A STUN request and three repetitions of it, even where a round trip takes a second (RFC 8489, section 6.2.1). */
const patienceMs = 5_000

export interface Enough {
  /** Of the candidate that is waited for. */
  readonly type: 'host' | 'srflx' | 'relay'
  /** How long others may follow it. @default 0 */
  readonly lingerMs?: number
}

/**
 * A WebRTC connection that only gathers, until `lingerMs` after the first candidate of a type. Completeness is not waited
 * for: it says so only when the last network, one that leads nowhere included, has given up on every server.
 */
export async function gather(
  webRtc: WebRtc,
  config: RTCConfiguration,
  { type, lingerMs = 0 }: Enough,
  signal: AbortSignal,
): Promise<FoundCandidate[]> {
  const connection = new webRtc.RTCPeerConnection(config)
  try {
    connection.createDataChannel('doctor')
    const found: FoundCandidate[] = []
    onCandidate(connection, (candidate) => found.push(candidate))
    const first = firstCandidate(connection, (candidate) => candidate.type === type)
    await connection.setLocalDescription(await connection.createOffer())
    const isFound = (await within(first, patienceMs, signal)) !== undefined
    if (isFound && lingerMs > 0) await within(new Promise<never>(() => undefined), lingerMs, signal)
    return found
  } finally {
    connection.close()
  }
}

export function firstCandidate(
  connection: RTCPeerConnection,
  isWanted: (candidate: FoundCandidate) => boolean,
): Promise<FoundCandidate> {
  return new Promise((resolve) => {
    onCandidate(connection, (candidate) => isWanted(candidate) && resolve(candidate))
  })
}

function onCandidate(connection: RTCPeerConnection, listener: (candidate: FoundCandidate) => void): void {
  connection.addEventListener('icecandidate', ({ candidate }) => {
    const match = CANDIDATE.exec(candidate?.candidate ?? '')
    if (match === null) return
    const [text, address = '', port = '', type = '', related, relatedPort] = match
    const isHidden = related === undefined || relatedPort === '0'
    const base = isHidden ? undefined : `${related} ${relatedPort}`
    listener({ text, type: type.toLowerCase(), address, port, base })
  })
}

/** What `work` gives, or undefined when it has not by then. Leaves no timer and no listener. */
export function within<T>(work: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (value?: T) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(value)
    }
    const onAbort = () => settle()
    const timer = setTimeout(onAbort, timeoutMs)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    work.then(settle, reject)
  })
}
