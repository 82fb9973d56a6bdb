import { parseAddress, parseKeyText } from '../../core/address.ts'
import { toBase64Url } from '../../core/bytes.ts'
import { checkPublicKey, ready } from '../../core/ed25519.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { isWithinReach, reachOfHub } from '../../core/reach.ts'
import { RecordMemory } from '../../core/record-memory.ts'
import { decodeRecord, readRecord, type PeerRecord } from '../../core/record.ts'
import { hostOf } from './host-of.ts'
import { getFromHub, hubUrlFrom, type HubRequestOptions } from './hub-http.ts'
import type { Bytes, Scope } from '../../core/types.ts'

export interface LookupOptions extends HubRequestOptions {
  /**
   * Whether addresses of local networks may be dialed although the hub is a public one, which could otherwise have a
   * peer make me knock at doors in my own network. @default false
   */
  allowPrivate?: boolean | undefined
}

/** What a key serves now, as it has signed it. */
export interface FoundPeer {
  /** What may be dialed of it: see {@link dialPeer}, which also looks at what names stand for. '' when nothing may. */
  readonly address: string
  /** All that it has signed, one alternative each, the preferred first. */
  readonly alternatives: readonly string[]
  /** 32 bytes. */
  readonly key: Bytes
  readonly sequence: number
  /** Unix time. */
  readonly expiresAtMs: number
  readonly listed: boolean
  /** The `reach` to dial it with: as near as the hub is, or as the options allow. */
  readonly reach: Scope
}

/**
 * The newest records that were seen in this process, so that no hub can show an older one. Kept for the process: what
 * is forgotten with every caller protects nobody.
 */
const seen = new RecordMemory()

/**
 * Asks a hub what a key serves now, and believes nothing that the key has not signed.
 * @param key 32 bytes, or text as in an address
 * @throws RECORD_NOT_FOUND, RECORD_INVALID, RECORD_STALE, HUB_LOST, HUB_REFUSED, BUSY, TIMEOUT, ABORTED,
 * ADDRESS_INVALID for what is no hub, KEYS_INVALID for what is no key
 */
export async function lookup(
  hub: string,
  key: Uint8Array | string,
  options: LookupOptions = {},
): Promise<FoundPeer> {
  await ready()
  const hubUrl = hubUrlFrom(hub)
  const wanted = typeof key === 'string' ? parseKeyText(key) : key
  if (wanted === null || !checkPublicKey(wanted)) {
    throw new MultiserverError('KEYS_INVALID', 'a lookup needs a public key: 32 bytes, or its text')
  }
  const bytes = await getFromHub(hubUrl, `/peers/${toBase64Url(wanted)}`, limits.record.bytes, options)
  if (bytes === null) throw notFound(hubUrl)
  const read = readRecord(bytes, wanted, Date.now())
  if (read.kind === 'refused') {
    throw new MultiserverError('RECORD_INVALID', `the record at ${hubUrl} is refused: ${read.why}`)
  }
  const { record } = read
  if (!seen.take(nameOf(hubUrl, record), { bytes, record }, Date.now()))
    throw new MultiserverError('RECORD_STALE')
  if (record.addresses.length === 0) throw notFound(hubUrl)
  return toFound(record, hubUrl, options)
}

/**
 * The peers that a hub lists, in no order that means anything. What their keys have not signed, or not lately, is left
 * out.
 * @throws HUB_REFUSED also when the hub does not list; else as {@link lookup}
 */
export async function* listPeers(hub: string, options: LookupOptions = {}): AsyncGenerator<FoundPeer, void> {
  await ready()
  const hubUrl = hubUrlFrom(hub)
  const { bytes: recordBytes, keys, perPage } = limits.record
  let after = ''
  for (let page = 0; page < keys / perPage; page += 1) {
    const query = after === '' ? '' : `?after=${after}`
    const body = await getFromHub(hubUrl, `/peers${query}`, perPage * (2 + recordBytes), options)
    if (body === null) throw new MultiserverError('HUB_REFUSED', `${hubUrl} does not list its peers`)
    const records = splitPage(body, hubUrl)
    for (const bytes of records) {
      const key = decodeRecord(bytes)?.key
      const name = key === undefined ? '' : toBase64Url(key)
      if (key === undefined || name <= after) throw badPage(hubUrl)
      after = name
      const read = readRecord(bytes, key, Date.now())
      if (read.kind === 'record' && isNewest(bytes, read.record, hubUrl))
        yield toFound(read.record, hubUrl, options)
    }
    if (records.length < perPage) return
  }
}

/** The part of a record that may be dialed from here. */
function toFound(record: PeerRecord, hubUrl: string, { allowPrivate = false }: LookupOptions): FoundPeer {
  const nearest = reachOfHub(hubUrl)
  const reach = nearest === 'public' && allowPrivate ? 'local' : nearest
  const { key, sequence, expiresAtMs, listed, addresses } = record
  const address = addresses.filter((alternative) => mayDial(alternative, reach)).join(';')
  return { address, alternatives: addresses, key, sequence, expiresAtMs, listed, reach }
}

function mayDial(alternative: string, reach: Scope): boolean {
  const [section] = parseAddress(alternative)[0] ?? []
  // Those are places of the machine where they were published, and others of mine.
  if (section === undefined || section.name === 'unix' || section.name === 'memory') return false
  const host = hostOf(section)
  return host === null || isWithinReach(host, reach)
}

/** Of listings nothing is remembered that was not known: a hub could make me forget what I was told elsewhere. */
function isNewest(bytes: Bytes, record: PeerRecord, hubUrl: string): boolean {
  const name = nameOf(hubUrl, record)
  return seen.get(name, Date.now()) === undefined || seen.take(name, { bytes, record }, Date.now())
}

/** Records at hubs of this machine, of local networks and public ones are kept apart, as their publishers do. */
function nameOf(hubUrl: string, { key }: PeerRecord): string {
  return `${reachOfHub(hubUrl)} ${toBase64Url(key)}`
}

/** Records, each behind its length in two bytes. */
function splitPage(body: Bytes, hubUrl: string): Bytes[] {
  const records: Bytes[] = []
  for (let at = 0; at < body.length;) {
    const [high = 0, low = 0] = body.subarray(at, at + 2)
    const end = at + 2 + high * 256 + low
    if (end > body.length || records.length >= limits.record.perPage) throw badPage(hubUrl)
    records.push(body.slice(at + 2, end))
    at = end
  }
  return records
}

function badPage(hubUrl: string): MultiserverError {
  return new MultiserverError('HUB_REFUSED', `${hubUrl} answered with what is no page of records`)
}

function notFound(hubUrl: string): MultiserverError {
  return new MultiserverError('RECORD_NOT_FOUND', `${hubUrl} has no record of this key now`, {
    address: hubUrl,
  })
}
