import { toBase64 } from '../../core/bytes.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { canonicalHubName } from '../../core/hub-name.ts'
import { limits } from '../../core/limits.ts'
import { TokenBucket } from '../../core/token-bucket.ts'
import { Registration, type Publisher } from './registration.ts'
import { introduceServer, type OfferVerdict } from './server-introduction.ts'
import {
  joinServerSessions,
  type PathTaker,
  type ServerSessions,
  type SessionOwner,
} from './server-sessions.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Bytes, Identity } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Offer } from './signal-payload.ts'

const { unopened, underWay, perSecond, burst, lastTriesMs } = limits.introduction

/** A listening rtc stack: it gets the connections whose address has its transforms. */
export interface Acceptor extends SessionOwner {
  readonly transforms: readonly string[]
  /** Whatever more the client's address has behind them is not for this stack, but for somebody that it passes bytes to. */
  readonly passesOn: boolean
  readonly onError: (error: Error) => void
  readonly onConnectionError: (error: Error) => void
}

/**
 * One registration for each hub and key of this process, shared by all its rtc stacks: a second one would
 * replace the first at the hub. That is why this is kept for the process and not for a server.
 */
const registrars = new Map<string, Registrar>()

/** Adds a listening stack: `registered` resolves once the key is known at the hub, `remove` takes it away again. */
export function addAcceptor(
  identity: Identity,
  acceptor: Acceptor,
): { registered: Promise<void>; isRegistered: () => boolean; remove: () => Promise<void> } {
  const registrar = registrarOf(acceptor.options.hubUrl, identity)
  return {
    registered: registrar.add(acceptor),
    isRegistered: () => registrar.isRegistered,
    remove: () => registrar.remove(acceptor),
  }
}

/** A publisher at one hub. */
export interface PublisherHold {
  /** See {@link Registration.showRecord}. */
  show(record: Bytes): void
  /** See {@link Registration.answered}. */
  answered(): Promise<boolean>
  remove(): Promise<void>
}

/** Adds who publishes for this key at a hub, beside its rtc stacks or without any: one publisher for each of both. */
export function addPublisher(hubUrl: string, identity: Identity, publisher: Publisher): PublisherHold {
  const registrar = registrarOf(hubUrl, identity)
  registrar.publisher = publisher
  return {
    show: (record) => registrar.registration.showRecord(record),
    answered: () => registrar.registration.answered(),
    remove: () => registrar.removePublisher(),
  }
}

function registrarOf(hubUrl: string, identity: Identity): Registrar {
  const name = `${canonicalHubName(hubUrl) ?? hubUrl} ${toBase64(identity.publicKey)}`
  const registrar: Registrar =
    registrars.get(name) ??
    new Registrar(hubUrl, identity, () => {
      // A replaced one must not take its successor with it.
      if (registrars.get(name) === registrar) registrars.delete(name)
    })
  registrars.set(name, registrar)
  return registrar
}

/** What listens and is published at one hub under one key, and the sessions that came of it. */
class Registrar {
  readonly registration: Registration
  publisher: Publisher | undefined
  readonly #identity: Identity
  readonly #forget: () => void
  readonly #acceptors = new Set<Acceptor>()
  readonly #sessions: ServerSessions
  readonly #leaveSessions: () => void
  readonly #rate = new TokenBucket({ perSecond, burst }, performance.now())
  readonly #underWay = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  /** Introductions of sessions that have begun: they may still bring a path, or a better one. */
  readonly #bringing = new Set<Promise<void>>()
  #unopened = 0
  #isClosing = false

  constructor(hubUrl: string, identity: Identity, forget: () => void) {
    this.#identity = identity
    this.#forget = forget
    const { sessions, leave } = joinServerSessions(identity.publicKey, () => this.registration.hurry())
    this.#sessions = sessions
    this.#leaveSessions = leave
    this.registration = new Registration({
      hubUrl,
      identity,
      onIncoming: (channel, iceServers) => this.#onIncoming(channel, iceServers),
      publisher: () => this.publisher,
      onError: (error) => {
        if (error.code === 'HUB_REPLACED') forget()
        for (const acceptor of this.#acceptors) acceptor.onError(error)
        this.publisher?.onError(error)
      },
      isUrgent: () => sessions.someNeedPath,
    })
  }

  get isRegistered(): boolean {
    return this.registration.isRegistered
  }

  async add(acceptor: Acceptor): Promise<void> {
    const wanted = acceptor.transforms.join('~')
    if ([...this.#acceptors].some(({ transforms }) => transforms.join('~') === wanted)) {
      const message = `this process listens already at ${acceptor.section} with this key and ${wanted}`
      throw new MultiserverError('LISTEN_FAILED', message)
    }
    this.#acceptors.add(acceptor)
    await this.registration.registered
  }

  async remove(acceptor: Acceptor): Promise<void> {
    if (this.#acceptors.delete(acceptor)) await this.#closeIfUnused()
  }

  async removePublisher(): Promise<void> {
    this.publisher = undefined
    await this.#closeIfUnused()
  }

  async #closeIfUnused(): Promise<void> {
    if (this.#acceptors.size > 0 || this.publisher !== undefined) return
    this.#forget()
    this.#isClosing = true
    const late = () => new MultiserverError('CONNECT_FAILED')
    await withDeadline(Promise.all(this.#bringing), lastTriesMs, late).catch(() => undefined)
    this.#stop.abort()
    await this.registration.close()
    await Promise.all(this.#underWay)
    this.#leaveSessions()
  }

  #onIncoming(channel: IntroductionChannel, iceServers: readonly IceServer[]): void {
    // The hub is not trusted to hold back a flood.
    const isFull = this.#unopened >= unopened || this.#underWay.size >= underWay
    if (this.#isClosing || isFull || !this.#rate.take(1, performance.now())) return channel.close('BUSY')
    this.#unopened += 1
    let isOpened = false
    const opened = () => {
      if (!isOpened) this.#unopened -= 1
      isOpened = true
    }
    let judged: PathTaker | undefined
    const judge = (offer: Offer) => {
      opened()
      const verdict = this.#judge(offer)
      if ('taker' in verdict) judged = verdict.taker
      return verdict
    }
    const { signal } = this.#stop
    const report = (thrown: unknown) => {
      const error = toError(thrown, 'CONNECT_FAILED')
      for (const acceptor of this.#acceptors) acceptor.onConnectionError(error)
    }
    const taking: Promise<void>[] = []
    let begun: PathTaker | undefined
    const onPath = (taker: PathTaker, path: FramePath) => {
      begun = taker
      taking.push(taker.take(path).catch(report))
      this.#bringing.add(introducing)
    }
    const introducing: Promise<void> = introduceServer(channel, {
      identity: this.#identity,
      iceServers,
      signal,
      judge,
      onPath,
    })
      // A session that has begun speaks for itself.
      .catch((thrown: unknown) => (begun === undefined ? report(thrown) : begun.onFailed?.(thrown)))
      .then(async () => void (await Promise.all(taking)))
      .finally(() => {
        opened()
        judged?.onOver?.()
        this.#bringing.delete(introducing)
        this.#underWay.delete(introducing)
      })
    this.#underWay.add(introducing)
  }

  #judge({ transforms, resume, session }: Offer): OfferVerdict<PathTaker> {
    const known = this.#sessions.find(session)
    if (resume !== (known !== undefined)) return { refused: 'NO_SESSION' }
    if (known !== undefined) return { taker: known }
    const acceptors = [...this.#acceptors]
    const acceptor =
      acceptors.find((each) => each.transforms.join('~') === transforms.join('~')) ??
      acceptors.find((each) => each.passesOn && isPrefix(each.transforms, transforms))
    return acceptor === undefined
      ? { refused: 'NO_STACK' }
      : { taker: this.#sessions.begin(session, acceptor) }
  }
}

function isPrefix(beginning: readonly string[], names: readonly string[]): boolean {
  return beginning.every((name, index) => name === names[index])
}
