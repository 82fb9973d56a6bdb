import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { openRelayPath, type RelayPathOptions } from './relay-path.ts'
import { isRelayUrl } from './relay-url.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionChannel } from './introduction-channel.ts'

const { openTimeoutMs } = limits.relay

export interface RelayingOptions extends Omit<RelayPathOptions, 'grant' | 'askedAt' | 'signal'> {
  readonly channel: IntroductionChannel
  readonly hubUrl: string
  /** Where the relay may be, beside the hub's own host. */
  readonly relayHosts: readonly string[]
  /** The socket to the relay is not opened before this resolves. @default at once */
  readonly after?: Promise<void> | undefined
  /** Asks for a circuit: the client the server, and the server, which consents by it, the hub. */
  readonly ask: () => Promise<void>
}

/** What one side does for a circuit through the hub's relay in one introduction: nothing until it is started. */
export class Relaying {
  /** This end of the circuit once both are there; null when there is to be none. Never rejects. */
  readonly path: Promise<FramePath | null>
  /** Resolves when one was asked for and is not to be had. */
  readonly failed: Promise<void>
  readonly #options: RelayingOptions
  readonly #stop = new AbortController()
  #resolve: (path: FramePath | null) => void = () => undefined
  #fail: () => void = () => undefined
  #isStarted = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: RelayingOptions) {
    this.#options = options
    this.path = new Promise((resolve) => (this.#resolve = resolve))
    this.failed = new Promise((resolve) => (this.#fail = resolve))
  }

  start(): void {
    clearTimeout(this.#timer)
    if (this.#isStarted || this.#stop.signal.aborted) return
    this.#isStarted = true
    this.#open().then(this.#resolve, () => {
      this.#resolve(null)
      if (!this.#stop.signal.aborted) this.#fail()
    })
  }

  startAfter(ms: number): void {
    this.#timer = setTimeout(() => this.start(), ms)
  }

  /** The far side, or its hub, has none for this introduction. */
  refuse(): void {
    this.#fail()
    this.stop()
  }

  /** Not to be started any more; what has begun goes on. */
  close(): void {
    if (!this.#isStarted) this.stop()
  }

  /** Not needed any more; a circuit that stands is the session's. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#stop.abort()
    if (!this.#isStarted) this.#resolve(null)
  }

  async #open(): Promise<FramePath> {
    const { channel, hubUrl, relayHosts, role, after, ask } = this.#options
    const askedAt = performance.now()
    await ask()
    const granted = withDeadline(
      channel.relayed,
      openTimeoutMs,
      () => new MultiserverError('CONNECT_FAILED', 'the hub said nothing about a relay in time'),
    )
    const grant = await untilAborted(granted, this.#stop.signal, () => undefined)
    if (!isRelayUrl(grant.url, hubUrl, relayHosts)) {
      throw new MultiserverError(
        'HUB_REFUSED',
        `the hub would have its relay at ${grant.url}; see relayHosts`,
      )
    }
    await after
    // Who has asked for a circuit takes it, needed or not: what nobody takes counts until its tokens end, and 8 of them are all.
    if (role === 'client') this.#stop.signal.throwIfAborted()
    return openRelayPath({ ...this.#options, grant, askedAt, signal: this.#stop.signal })
  }
}
