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
const mostLosses = Math.ceil(Math.log2(longestBackoffMs / shortestBackoffMs))

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
  /** Registrations lost of late, less what they have made up for by how long they stood. */
  #losses = 0
  /** When the last one was lost; before the first, when it was begun. All these by the clock of performance.now(). */
  #lostAt = performance.now()
  /** Since when the hub is away, as far as it can be reached. */
  #awaySince = performance.now()
  #tryQuicklyUntil = 0
  /** A hub that restarts has said when it will be there. */
  #notBefore = 0
  /** What was said over a socket that was given up may arrive behind what was said over the next. */
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
    this.#losses = 0
    this.#lostAt = this.#awaySince = performance.now()
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
        if (registeredAt !== undefined) this.#countLoss(performance.now() - registeredAt)
        else if (socket.isUnreached) this.#awaySince = performance.now()
        this.#connectLater()
        this.#report(error)
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

  /** A hub that takes registrations and loses them again is asked less and less often; one that stood for a minute makes up for all. */
  #countLoss(stoodMs: number): void {
    const madeUpFor = ((mostLosses + 1) * stoodMs) / healthyAfterMs
    this.#losses = Math.max(0, Math.min(this.#losses + 1, mostLosses) - madeUpFor)
    this.#lostAt = this.#awaySince = performance.now()
  }

  /**
   * As long as the hub has been away, so that a peer is away for as long again at most. The time in which nothing arrived anywhere, or in
   * which a hub that restarts was not to be there yet, is not the hub's.
   */
  get #longestPauseMs(): number {
    const now = performance.now()
    if (now < this.#tryQuicklyUntil) return shortestBackoffMs
    const isUnreached = this.#socket?.isUnreached === true
    const awayMs = now - (isUnreached ? this.#lostAt : Math.max(this.#awaySince, this.#tryQuicklyUntil))
    const boundMs = isUnreached ? unreachedBackoffMs : longestBackoffMs
    return Math.min(
      Math.max(shortestBackoffMs * 2 ** this.#losses, awayMs),
      this.#isUrgent ? urgentBackoffMs : boundMs,
    )
  }

  /** With full jitter; a hub that restarts has said when to come. */
  #connectLater(): void {
    const pauseMs = Math.max(0, this.#notBefore - performance.now())
    this.#isPausing = true
    this.#timer = setTimeout(() => this.#connect(), pauseMs + Math.random() * this.#longestPauseMs)
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
