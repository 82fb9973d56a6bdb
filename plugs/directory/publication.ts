import { equalBytes, toBase64 } from '../../core/bytes.ts'
import { ready } from '../../core/ed25519.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { canonicalHubName } from '../../core/hub-name.ts'
import { reachOfHub } from '../../core/reach.ts'
import { signRecord, verifyRecord, type PeerRecord } from '../../core/record.ts'
import { addPublisher, type PublisherHold } from '../rtc/registrar.ts'
import type { Bytes, Identity } from '../../core/types.ts'
import type { RecordRefusal } from '../rtc/hub-socket.ts'
import type { Publisher } from '../rtc/registration.ts'

/** What somebody in this process serves under a key, and the hub that is to say so. */
export interface Served {
  readonly hubUrl: string
  /** One alternative each, all of the key; asked again whenever the record is renewed. */
  readonly addresses: () => readonly string[]
  readonly listed: boolean
  /** Of the record, which is renewed at half of it. */
  readonly lifeMs: number
  /** RECORD_INVALID and RECORD_STALE, when there is no record or the hub does not take it. */
  readonly onError: (error: MultiserverError) => void
  /** HUB_LOST, HUB_REPLACED and HUB_REFUSED. */
  readonly onHubError?: ((error: MultiserverError) => void) | undefined
}

/**
 * One record for each key of this process, and one for all its hubs: whoever asks one hub and then another must not
 * take the second answer for an older one. Hubs of this machine, of local networks and public ones are kept apart, so that
 * no public hub learns what is served nearer.
 */
const publications = new Map<string, Publication>()

/** Keeps `served` published until it is removed. `published` resolves once the hub has taken it. */
export function addServed(
  identity: Identity,
  served: Served,
): { published: Promise<void>; remove: () => Promise<void> } {
  const name = `${reachOfHub(served.hubUrl)} ${toBase64(identity.publicKey)}`
  const publication: Publication =
    publications.get(name) ??
    new Publication(identity, () => {
      if (publications.get(name) === publication) publications.delete(name)
    })
  publications.set(name, publication)
  return publication.add(served)
}

interface SignedRecord {
  readonly bytes: Bytes
  readonly sequence: number
  readonly renewAtMs: number
}

/** Who waits until a hub has a record with a higher sequence than this. */
interface Waiting {
  readonly above: number
  readonly resolve: () => void
  readonly reject: (error: MultiserverError) => void
}

/** A hub that shows the record. */
interface Outlet {
  readonly hubUrl: string
  readonly hold: PublisherHold
  readonly served: Set<Served>
  waiting: Waiting[]
}

class Publication {
  readonly #identity: Identity
  readonly #forget: () => void
  readonly #outlets = new Map<string, Outlet>()
  #current: SignedRecord | undefined
  #sequence = 0
  /** The latest that any record of this key expires, as far as is known here. */
  #latestExpiryMs = 0
  #work: Promise<void> = Promise.resolve()
  /** Whether the next record is to be made already: what is served then goes into it. */
  #willRenew = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(identity: Identity, forget: () => void) {
    this.#identity = identity
    this.#forget = forget
  }

  add(served: Served): { published: Promise<void>; remove: () => Promise<void> } {
    const hubName = canonicalHubName(served.hubUrl) ?? served.hubUrl
    const outlet = this.#outlets.get(hubName) ?? this.#open(hubName, served.hubUrl)
    outlet.served.add(served)
    const published = new Promise<void>((resolve, reject) => {
      outlet.waiting.push({ above: this.#sequence, resolve, reject })
    })
    published.catch(() => undefined)
    this.#renew()
    return { published, remove: () => this.#remove(hubName, outlet, served) }
  }

  #open(hubName: string, hubUrl: string): Outlet {
    const record = () => (this.#outlets.get(hubName) === outlet ? this.#current?.bytes : undefined)
    const publisher: Publisher = {
      get record() {
        return record()
      },
      refresh: () => this.#refresh(),
      onRegistered: () => void this.#confirm(outlet),
      onRecordRefused: (refusal) => this.#onRefused(outlet, refusal),
      onError: (error) => this.#onHubError(hubName, outlet, error),
    }
    const hold = addPublisher(hubUrl, this.#identity, publisher)
    const outlet: Outlet = { hubUrl, hold, served: new Set(), waiting: [] }
    this.#outlets.set(hubName, outlet)
    return outlet
  }

  async #remove(hubName: string, outlet: Outlet, served: Served): Promise<void> {
    if (!outlet.served.delete(served)) return
    const isLast = outlet.served.size === 0 && this.#outlets.get(hubName) === outlet
    if (isLast) {
      this.#outlets.delete(hubName)
      rejectWaiting(outlet, new MultiserverError('ABORTED', 'it is not published any more'))
      this.#do(() => this.#withdraw(outlet))
    }
    // Here as well: the other hubs must not name what this one served.
    this.#renew()
    await this.#work
    if (isLast) await outlet.hold.remove()
  }

  /** One thing after the other, so that a higher sequence is always shown later. */
  #do(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((thrown: unknown) => {
      this.#report(toError(thrown, 'RECORD_INVALID'))
    })
  }

  #renew(): void {
    if (this.#willRenew) return
    this.#willRenew = true
    this.#do(async () => {
      this.#willRenew = false
      clearTimeout(this.#timer)
      const served = this.#served()
      if (served.length === 0) {
        this.#current = undefined
        return this.#forget()
      }
      const lifeMs = Math.min(...served.map((each) => each.lifeMs))
      this.#timer = setTimeout(() => this.#renew(), lifeMs / 2)
      const addresses = [...new Set(served.flatMap((each) => each.addresses()))]
      if (addresses.length === 0)
        throw new MultiserverError('RECORD_INVALID', 'there is no address to publish')
      const listed = served.some((each) => each.listed)
      this.#current = await this.#sign(addresses, listed, Date.now() + lifeMs)
      for (const outlet of this.#outlets.values()) {
        outlet.hold.show(this.#current.bytes)
        void this.#confirm(outlet)
      }
    })
  }

  /** With a record that is good for as long as any that it withdraws, or one of those could be shown again. */
  async #withdraw(outlet: Outlet): Promise<void> {
    if (this.#latestExpiryMs === 0) return
    outlet.hold.show((await this.#sign([], false, this.#latestExpiryMs)).bytes)
  }

  async #sign(addresses: readonly string[], listed: boolean, expiresAtMs: number): Promise<SignedRecord> {
    await ready()
    const nowMs = Date.now()
    this.#sequence = Math.max(this.#sequence + 1, nowMs)
    const sequence = this.#sequence
    const bytes = await signRecord(this.#identity, { sequence, expiresAtMs, listed, addresses })
    this.#latestExpiryMs = Math.max(this.#latestExpiryMs, expiresAtMs)
    return { bytes, sequence, renewAtMs: (nowMs + expiresAtMs) / 2 }
  }

  /** Timers stand still while a machine sleeps, and a record ages. */
  async #refresh(): Promise<void> {
    if (this.#current !== undefined && Date.now() >= this.#current.renewAtMs) this.#renew()
    await this.#work
  }

  /** Tells those who wait for it that the hub has the current record, unless it says otherwise. */
  async #confirm(outlet: Outlet): Promise<void> {
    const shown = this.#current
    if (shown === undefined || outlet.waiting.length === 0) return
    const isAnswered = await outlet.hold.answered()
    // A refusal has led to another record by now, or has told them.
    await this.#work
    if (!isAnswered || this.#current !== shown) return
    for (const { above, resolve } of outlet.waiting) if (shown.sequence > above) resolve()
    outlet.waiting = outlet.waiting.filter(({ above }) => shown.sequence <= above)
  }

  #onRefused(outlet: Outlet, { code, message, stored }: RecordRefusal): void {
    const newer = stored === undefined ? undefined : this.#newerThanMine(stored)
    if (code === 'RECORD_STALE' && newer !== undefined) {
      this.#sequence = Math.max(this.#sequence, newer.sequence)
      this.#latestExpiryMs = Math.max(this.#latestExpiryMs, newer.expiresAtMs)
      this.#renew()
      return
    }
    // The next one begins anew: if this clock was wrong and is right now, the sequence is still the old one.
    if (code === 'RECORD_INVALID') this.#sequence = 0
    const { hubUrl: address, served } = outlet
    const error = new MultiserverError(code, `${address} refused the record: ${message}`, { address })
    rejectWaiting(outlet, error)
    for (const { onError } of served) onError(error)
  }

  /** What the hub has instead of the current record, when this key has really signed it. */
  #newerThanMine(stored: Bytes): PeerRecord | undefined {
    const record = verifyRecord(stored)
    const current = this.#current
    if (record === null || current === undefined) return undefined
    const isMine = equalBytes(record.key, this.#identity.publicKey)
    const isOther = record.sequence >= current.sequence && !equalBytes(stored, current.bytes)
    return isMine && isOther ? record : undefined
  }

  #onHubError(hubName: string, outlet: Outlet, error: MultiserverError): void {
    if (error.code === 'HUB_REPLACED') {
      // Whoever serves there again is told by another registration.
      this.#outlets.delete(hubName)
      rejectWaiting(outlet, error)
      this.#renew()
    }
    for (const served of outlet.served) served.onHubError?.(error)
  }

  #served(): Served[] {
    return [...this.#outlets.values()].flatMap((outlet) => [...outlet.served])
  }

  #report(error: MultiserverError): void {
    // Out of the chain of work, which must go on whatever a callback throws.
    for (const { onError } of this.#served()) queueMicrotask(() => onError(error))
    for (const outlet of this.#outlets.values()) rejectWaiting(outlet, error)
  }
}

function rejectWaiting(outlet: Outlet, error: MultiserverError): void {
  for (const { reject } of outlet.waiting.splice(0)) reject(error)
}
