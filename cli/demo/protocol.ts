import { checkOneKey, lastKey, parseAddress } from '../../core/address.ts'
import type { Bytes } from '../../core/types.ts'
import { decodeLinks, type Link } from './links.ts'
import { printable, printableLine, safeFileName } from './text.ts'

/**
 * What the peers of the demo say to each other over a connection, whatever carries it.
 *
 * ```
 * both      hello                       the first message of each side
 * both      chat                        to the peer alone, or to the room: the same to everyone
 * both      ping … pong                 how long a message takes there and back
 * server    roster                      who is there and how they are linked; again at each change
 * others    state                       to the server: how I am linked now, and where I can be dialed
 * page      upgrade                     to the desktop: serve shs2 beside shs from now on
 * sender    offer  … chunks … done      or withdraw, at any time
 * receiver  accept … progress … received    or refuse, at any time
 * ```
 * Chunks travel as bytes beside the messages, so that people can talk while a file is on its way.
 */
export type Message =
  | Hello
  | { readonly type: 'chat'; readonly text: string; readonly room: boolean }
  | { readonly type: 'ping' | 'pong'; readonly id: number }
  | { readonly type: 'roster'; readonly peers: readonly LobbyEntry[] }
  | { readonly type: 'state'; readonly address: string; readonly links: readonly Link[] }
  | { readonly type: 'upgrade' }
  | Offer
  | { readonly type: 'done'; readonly id: number; readonly sha256: string }
  | { readonly type: 'withdraw'; readonly id: number; readonly why: string }
  | { readonly type: 'accept'; readonly id: number }
  | { readonly type: 'progress'; readonly id: number; readonly received: number }
  | { readonly type: 'received'; readonly id: number; readonly sha256: string }
  | { readonly type: 'refuse'; readonly id: number; readonly why: string }

export interface Offer {
  readonly type: 'offer'
  readonly id: number
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Whether it is offered to everyone. */
  readonly room: boolean
}

export interface Hello extends RosterEntry {
  readonly type: 'hello'
}

export interface RosterEntry {
  readonly kind: PeerKind
  readonly name: string
  /** Where the peer can be dialed; empty when it can only dial. Every alternative names its key. */
  readonly address: string
}

/** Who is in the lobby, and what it says of its connections. */
export interface LobbyEntry extends RosterEntry {
  readonly links: readonly Link[]
}

/** `veteran`: a program on multiserver 3.8.2. */
export type PeerKind = 'browser' | 'desktop' | 'server' | 'veteran'

/** What a peer of the demo takes from another. */
export const demoLimits = {
  /** Of one message as JSON: a full roster fits. */
  messageBytes: 512 * 1024,
  /** Of a file's chunk: a chat message never waits behind more than a few of these. */
  chunkBytes: 32 * 1024,
  /** Of a file that are under way unacknowledged: what a chat message may have to wait behind. */
  unacknowledgedBytes: 1024 * 1024,
  /** The receiver says how far it is after so many bytes. */
  progressBytes: 128 * 1024,
  /** Files offered or moving in one direction of a connection. */
  files: 8,
  fileBytes: 2 ** 40,
  chatCharacters: 4000,
  nameCharacters: 40,
  whyCharacters: 200,
  fileNameCharacters: 255,
  addressCharacters: 512,
  rosterEntries: 100,
  /** The first message comes at once or it is not a peer of the demo. */
  helloTimeoutMs: 10_000,
} as const

/** A message that came as JSON text, in a fresh object without anything else; null for what is not one. */
export function decodeMessage(text: string): Message | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return isRecord(value) ? decodeFields(value) : null
}

export function encodeMessage(message: Message): string {
  return JSON.stringify(message)
}

/** The one key that all alternatives of an announced address name last; null when there is none. */
export function announcedKey(address: string): Bytes | null {
  try {
    const alternatives = parseAddress(address)
    checkOneKey(alternatives, address)
    const keys = alternatives.map(lastKey)
    return keys.includes(null) ? null : (keys[0] ?? null)
  } catch {
    return null
  }
}

function decodeFields(value: Fields): Message | null {
  const type = value['type']
  switch (type) {
    case 'hello': {
      const entry = decodeEntry(value)
      return entry && { type, ...entry }
    }
    case 'chat': {
      const text = textOf(value['text'], demoLimits.chatCharacters)
      return text === null ? null : { type, text: printable(text), room: value['room'] === true }
    }
    case 'ping':
    case 'pong':
    case 'accept': {
      const id = idOf(value['id'])
      return id === null ? null : { type, id }
    }
    case 'roster':
      return decodeRoster(value['peers'])
    case 'state': {
      const [address, links] = [addressOf(value['address']), decodeLinks(value['links'])]
      return address === null || links === null ? null : { type, address, links }
    }
    case 'upgrade':
      return { type }
    case 'offer': {
      const [id, size] = [idOf(value['id']), countOf(value['size'])]
      const name = textOf(value['name'], demoLimits.fileNameCharacters)
      return id === null || size === null || name === null
        ? null
        : { type, id, name: safeFileName(name), size, room: value['room'] === true }
    }
    case 'done':
    case 'received': {
      const [id, sha256] = [idOf(value['id']), hashOf(value['sha256'])]
      return id === null || sha256 === null ? null : { type, id, sha256 }
    }
    case 'withdraw':
    case 'refuse': {
      const [id, why] = [idOf(value['id']), textOf(value['why'], demoLimits.whyCharacters)]
      return id === null || why === null ? null : { type, id, why: printableLine(why) }
    }
    case 'progress': {
      const [id, received] = [idOf(value['id']), countOf(value['received'])]
      return id === null || received === null ? null : { type, id, received }
    }
    default:
      return null
  }
}

function decodeRoster(value: unknown): Message | null {
  if (!Array.isArray(value) || value.length > demoLimits.rosterEntries) return null
  const peers = value.map((entry: unknown) => (isRecord(entry) ? decodeLobbyEntry(entry) : null))
  const valid = peers.filter((entry) => entry !== null)
  return valid.length === peers.length ? { type: 'roster', peers: valid } : null
}

function decodeLobbyEntry(value: Fields): LobbyEntry | null {
  const [entry, links] = [decodeEntry(value), decodeLinks(value['links'])]
  return entry === null || links === null ? null : { ...entry, links }
}

function decodeEntry(value: Fields): RosterEntry | null {
  const { kind, name: rawName } = value
  const name = textOf(rawName, demoLimits.nameCharacters)
  const address = addressOf(value['address'])
  if (!isKind(kind) || name === null || address === null) return null
  return name === '' || name !== printableLine(name) ? null : { kind, name, address }
}

function addressOf(value: unknown): string | null {
  const address = textOf(value, demoLimits.addressCharacters)
  return address === '' || (address !== null && announcedKey(address) !== null) ? address : null
}

type Fields = Readonly<Record<string, unknown>>

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isKind(value: unknown): value is PeerKind {
  return value === 'browser' || value === 'desktop' || value === 'server' || value === 'veteran'
}

function textOf(value: unknown, mostCharacters: number): string | null {
  return typeof value === 'string' && value.length <= mostCharacters ? value : null
}

function idOf(value: unknown): number | null {
  return isCount(value) && value >= 1 && value <= 0xffff_ffff ? value : null
}

function countOf(value: unknown): number | null {
  return isCount(value) && value <= demoLimits.fileBytes ? value : null
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)
}

function hashOf(value: unknown): string | null {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : null
}
