import { copy } from '../../core/bytes.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { canonicalHubName } from '../../core/hub-name.ts'
import { registerBytes, type IceServer } from '../../core/hub-protocol.ts'
import { limits } from '../../core/limits.ts'
import { watchPage } from '#wrtc'
import { HubSocket, type HubSocketEvents, type RecordRefusal } from './hub-socket.ts'
import type { Bytes, Identity } from '../../core/types.ts'
import type { IntroductionChannel } from './introduction-channel.ts'

const {
  answerTimeoutMs,
  formerMs,
  healthyAfterMs,
  lateRegisterMs,
  longestBackoffMs,
  shortestBackoffMs,
  unreachedBackoffMs,
  urgentAnswerTimeoutMs,
  urgentAskMs,
  urgentBackoffMs,
  urgentProbeMs,
} = limits.hub

/** With more the longest pause would be no longer. */
const mostFailures = Math.ceil(Math.log2(longestBackoffMs / shortestBackoffMs))

/** Who has a record to show wherever its key is registered. */
export interface Publisher {
  /** Undefined: nothing to show. */
  readonly record: Bytes | undefined
  /** Resolves once `record` is fresh enough for a new registration. Never rejects. */
  refresh(): Promise<void>
  onRegistered(): void
  onRecordRefused(refusal: RecordRefusal): void
  /** What concerns the registration itself. */
  onError(error: MultiserverError): void
}

export interface RegistrationOptions {
  readonly hubUrl: string
  readonly identity: Identity
  readonly onIncoming: (channel: IntroductionChannel, iceServers: readonly IceServer[]) => void
  readonly publisher?: (() => Publisher | undefined) | undefined
  /** HUB_LOST, once for each loss, and HUB_REPLACED, after which there is no more to come. */
  readonly onError: (error: MultiserverError) => void
  /** Whether a peer waits for a path now, so that nobody may wait long for the hub. */
  readonly isUrgent?: (() => boolean) | undefined
}

/** Keeps a key registered at a hub: registers again whenever the socket was lost, until it is closed or replaced. */
export class Registration {
  /** Resolves at the first registration; rejects when it was closed or replaced before. */
  readonly registered: Promise<void>
  readonly #options: RegistrationOptions
  readonly #hubName: string
  readonly #unwatchPage: () => void
  #resolveRegistered: () => void = () => undefined
  #rejectRegistered: (error: Error) => void = () => undefined
  #socket: HubSocket | undefined
  /** The last one that was registered, where the hub has only fallen silent: it goes by that until the next is there. */
  #former: HubSocket | undefined
  #formerTimer: ReturnType<typeof setTimeout> | undefined
  #iceServers: readonly IceServer[] = []
  #isRegistered = false
  /** Whether the hub has been told the key, so that a record may follow. */
  #mayShow = false
  #tellLoss = true
  /** Of late: tries that came to nothing and registrations that were lost, less what those have made up for that stood. */
  #failures = 0
  #tryQuicklyUntil = 0
  /** By the clock of performance.now(): a hub that restarts has said when it will be there. */
  #notBefore = 0
  /** By the same clock: what was said over a socket that was given up may arrive behind what was said over the next. */
  #replacesItselfUntil = 0
  #isPausing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#hubName = canonicalHubName(options.hubUrl) ?? options.hubUrl
    this.registered = new Promise((resolve, reject) => {
      this.#resolveRegistered = resolve
      this.#rejectRegistered = reject
    })
    this.registered.catch(() => undefined)
    this.#unwatchPage = watchPage({ onWake: () => this.wake() })
    this.#connect()
  }

  get isRegistered(): boolean {
    return this.#isRegistered
  }

  /** Sends a record that is newer than the last; without a socket, the next registration brings the publisher's. */
  showRecord(record: Bytes): void {
    if (this.#mayShow) this.#socket?.send({ type: 'record', record })
  }

  /** Resolves to true once the hub has answered what it was sent until now, false when it is away. */
  async answered(): Promise<boolean> {
    return this.#isRegistered && this.#socket !== undefined && this.#socket.answered()
  }

  /** The path of a peer is in trouble, and my own network may be the reason: looks after the hub at once. */
  hurry(): void {
    if (this.#isRegistered) this.#ask()
    else if (this.#isPausing && !this.#stopped) {
      clearTimeout(this.#timer)
      this.#connectLater()
    }
  }

  /** What was known of the hub is old: a socket may be dead and nobody has said so, a hub that was away may be there. */
  wake(): void {
    this.#failures = 0
    this.hurry()
  }

  async close(): Promise<void> {
    this.#stop(new MultiserverError('ABORTED', 'the registration was closed'))
    await Promise.all([this.#socket?.closed, this.#former?.closed])
  }

  /** Now, and again and again while a peer waits. */
  #ask(): void {
    this.#askLater()
    this.#socket?.ask(urgentProbeMs)
  }

  #askLater(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#isUrgent && this.#ask(), urgentAskMs)
  }

  get #isUrgent(): boolean {
    return this.#options.isUrgent?.() === true
  }

  #connect(): void {
    this.#isPausing = false
    let registeredAt: number | undefined
    const events: HubSocketEvents = {
      onRegistered: () => {
        registeredAt = performance.now()
        this.#endFormer()
        this.#isRegistered = true
        this.#askLater()
        this.#tellLoss = true
        this.#resolveRegistered()
        this.#options.publisher?.()?.onRegistered()
      },
      onIceServers: (iceServers) => (this.#iceServers = iceServers),
      onIncoming: (channel) => this.#options.onIncoming(channel, this.#iceServers),
      onReplaced: () => {
        if (this.#stopped) return
        const isByItself = performance.now() < this.#replacesItselfUntil
        // One late registration displaces once; whoever comes then is another.
        this.#replacesItselfUntil = 0
        if (isByItself) return
        const error = new MultiserverError('HUB_REPLACED', undefined, { address: this.#options.hubUrl })
        this.#stop(error)
        this.#options.onError(error)
      },
      onRestarting: ({ reconnectAfterMs, tryForMs }) => {
        this.#notBefore = performance.now() + reconnectAfterMs
        this.#tryQuicklyUntil = this.#notBefore + tryForMs
      },
      onRecordRefused: (refusal) => this.#options.publisher?.()?.onRecordRefused(refusal),
      onRefused: (error) => {
        this.#report(error)
        socket.close()
      },
      onClose: (error) => {
        clearTimeout(this.#timer)
        this.#isRegistered = false
        this.#mayShow = false
        if (this.#stopped) return
        if (registeredAt === undefined) socket.terminate()
        else this.#keepFormer(socket)
        this.#countLoss(registeredAt)
        this.#report(error)
        this.#connectLater()
      },
    }
    const timeoutMs = this.#isUrgent ? urgentAnswerTimeoutMs : answerTimeoutMs
    const socket = new HubSocket(this.#options.hubUrl, events, { answerTimeoutMs: timeoutMs, stays: true })
    this.#socket = socket
    this.#register(socket, timeoutMs).catch((thrown: unknown) => {
      if (!this.#stopped) this.#report(toError(thrown, 'HUB_LOST', { address: this.#options.hubUrl }))
      socket.close()
    })
  }

  async #register(socket: HubSocket, timeoutMs: number): Promise<void> {
    const { identity } = this.#options
    const welcome = await socket.welcome
    this.#iceServers = welcome.iceServers
    const key: Bytes = copy(identity.publicKey)
    const signature = await identity.sign(registerBytes(this.#hubName, welcome.challenge, key))
    await this.#options.publisher?.()?.refresh()
    if (this.#stopped || socket.isOver) return
    const record = this.#options.publisher?.()?.record
    socket.send({ type: 'register', key, signature: copy(signature), record })
    this.#mayShow = true
    this.#timer = setTimeout(() => {
      const { hubUrl } = this.#options
      const message = `${hubUrl} does not answer the registration`
      this.#report(new MultiserverError('HUB_LOST', message, { address: hubUrl }))
      this.#replacesItselfUntil = performance.now() + lateRegisterMs
      socket.close()
    }, timeoutMs)
  }

  /**
   * Each lengthens the next pause, and a registration shortens it by how long it stood: one that is lost soon after many tries, because
   * its router has forgotten it, is not to be away for as long as if the hub were. What a hub that restarts has asked for is no failure.
   */
  #countLoss(registeredAt: number | undefined): void {
    const now = performance.now()
    const stoodMs = registeredAt === undefined ? 0 : now - registeredAt
    const madeUpFor = ((mostFailures + 1) * stoodMs) / healthyAfterMs
    const isAwaited = now < this.#tryQuicklyUntil
    this.#failures = Math.max(0, Math.min(this.#failures + (isAwaited ? 0 : 1), mostFailures) - madeUpFor)
  }

  get #longestPauseMs(): number {
    if (this.#isUrgent) return urgentBackoffMs
    return this.#socket?.isUnreached === true ? unreachedBackoffMs : longestBackoffMs
  }

  /** Full jitter under a bound that doubles with each failure; a hub that restarts has said when to come. */
  #connectLater(): void {
    const restarting = performance.now() < this.#tryQuicklyUntil
    const longestMs = this.#longestPauseMs
    const boundMs = Math.min(shortestBackoffMs * 2 ** this.#failures, longestMs)
    const pauseMs = Math.max(0, this.#notBefore - performance.now())
    const delayMs = pauseMs + Math.random() * (restarting ? shortestBackoffMs : boundMs)
    this.#isPausing = true
    this.#timer = setTimeout(() => this.#connect(), delayMs)
  }

  #report(error: MultiserverError): void {
    if (!this.#tellLoss) return
    this.#tellLoss = false
    this.#options.onError(error)
  }

  #stop(error: MultiserverError): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#unwatchPage()
    clearTimeout(this.#timer)
    this.#rejectRegistered(error)
    this.#endFormer()
    this.#socket?.close()
  }

  /** For a while: who is introduced by it is heard by nobody. */
  #keepFormer(socket: HubSocket): void {
    this.#endFormer()
    this.#former = socket
    this.#formerTimer = setTimeout(() => this.#endFormer(), formerMs)
  }

  #endFormer(): void {
    clearTimeout(this.#formerTimer)
    this.#former?.terminate()
  }
}
