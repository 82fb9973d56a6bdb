import { limits } from '../../core/limits.ts'

export type SdpType = 'offer' | 'answer'

/**
 * The description of one data channel connection, written anew from the few values that matter; null when `sdp`
 * does not describe one. Nothing else of it survives: no candidates (wrtc writes its loopback ones there), no
 * second media section, no attribute that some implementation might act on. For what is sent as for what came.
 */
export function rebuildSdp(sdp: string, type: SdpType): string | null {
  const description = parseSdp(sdp, type)
  return description === null ? null : formatSdp(description)
}

/** Bytes of the longest message that whoever wrote `sdp` takes on a data channel. Infinity: any. */
export function maxMessageSize(sdp: string): number {
  const size = readAttribute(sdp.split(LINE_END), 'max-message-size', /^\d{1,10}$/)
  // RFC 8841, section 6: 64 KiB when it is not said, and 0 for any size.
  return size === null ? 65_536 : Number(size) || Number.POSITIVE_INFINITY
}

/**
 * The side that offered is to begin DTLS, where it leaves that open. It has a way half a round trip before the other, as its checks
 * go out when the answer comes, and whoever begins is the first whose channel opens.
 */
export function begunByOfferer(offer: string): string {
  return offer.replace('a=setup:actpass', 'a=setup:active')
}

interface Description {
  readonly ufrag: string
  readonly password: string
  readonly fingerprint: string
  readonly setup: string
  readonly mid: string
  readonly sctpPort: number
  readonly maxMessageBytes: number
}

const LINE_END = /\r?\n/

/** Real ones take 64 KiB and more; frames of a few bytes would cost far more than they carry. */
const LEAST_MESSAGE_BYTES = 1024

/** RFC 8839, section 5.4: ice-char is ALPHA / DIGIT / "+" / "/". */
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/
const PASSWORD = /^[A-Za-z0-9+/]{22,256}$/
const MID = new RegExp(`^[A-Za-z0-9_.-]{1,${limits.signal.midCharacters}}$`)
const FINGERPRINT = /^sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/i

/** RFC 8842, section 5: an offer leaves the role open, an answer takes one. */
const SETUP = { offer: /^actpass$/, answer: /^(?:active|passive)$/ } as const

function parseSdp(sdp: string, type: SdpType): Description | null {
  if (sdp.length > limits.signal.sdpCharacters) return null
  const lines = sdp.split(LINE_END)
  if (!hasOneDataSection(lines)) return null
  // Firefox writes the fingerprint before the media section, the others inside it.
  const ufrag = readAttribute(lines, 'ice-ufrag', UFRAG)
  const password = readAttribute(lines, 'ice-pwd', PASSWORD)
  const fingerprint = readAttribute(lines.filter(isNoOtherFingerprint), 'fingerprint', FINGERPRINT)
  const setup = readAttribute(lines, 'setup', SETUP[type])
  const mid = readAttribute(lines, 'mid', MID)
  const sctpPort = Number(readAttribute(lines, 'sctp-port', /^\d{1,5}$/))
  const maxMessageBytes = maxMessageSize(sdp)
  if (ufrag === null || password === null || fingerprint === null || setup === null || mid === null)
    return null
  if (sctpPort < 1 || sctpPort > 65_535 || maxMessageBytes < LEAST_MESSAGE_BYTES) return null
  return { ufrag, password, fingerprint, setup, mid, sctpPort, maxMessageBytes }
}

/** Port 0 would say that the section is rejected. */
function hasOneDataSection(lines: readonly string[]): boolean {
  const sections = lines.filter((line) => line.startsWith('m='))
  return (
    sections.length === 1 &&
    /^m=application [1-9]\d{0,4} UDP\/DTLS\/SCTP webrtc-datachannel$/.test(sections[0] ?? '')
  )
}

/** A fingerprint by another hash stands beside, not instead of, the one that is checked. */
function isNoOtherFingerprint(line: string): boolean {
  return !line.startsWith('a=fingerprint:') || /^a=fingerprint:sha-256 /i.test(line)
}

/** The value of the attribute; null when it is not there exactly once or does not have the form. */
function readAttribute(lines: readonly string[], name: string, form: RegExp): string | null {
  const prefix = `a=${name}:`
  const values = lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length))
  const [value] = values
  return value !== undefined && values.length === 1 && form.test(value) ? value : null
}

function formatSdp(description: Description): string {
  const { ufrag, password, fingerprint, setup, mid, sctpPort, maxMessageBytes } = description
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${fingerprint.slice('sha-256 '.length).toUpperCase()}`,
    `a=setup:${setup}`,
    `a=mid:${mid}`,
    `a=sctp-port:${sctpPort}`,
    `a=max-message-size:${maxMessageBytes === Number.POSITIVE_INFINITY ? 0 : maxMessageBytes}`,
    '',
  ].join('\r\n')
}
