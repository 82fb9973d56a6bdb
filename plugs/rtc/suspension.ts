import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { startAwakeTimer, type AwakeTimer } from './awake-timer.ts'

const { lastTriesMs, lingerMs, serverGraceMs } = limits.resume

/** How a client looks for another path. */
export interface Search {
  /** Settles when it has ended and nothing is left that its session's paths do not hold; rejects when no path can ever come. */
  readonly over: Promise<void>
  /** Why its last attempt came to nothing. */
  readonly lastError: Error | undefined
  /** The network is another one: what is under way may wait for what is gone. */
  hurry(): void
  /** Time is up: begins nothing more, and goes on with what may still come to something. */
  finish(): void
}

export interface SuspensionOptions {
  readonly role: 'client' | 'server'
  /** How long the client looks for another path once the last is lost; the server waits a little longer. 0: not at all. */
  readonly resumeMs: number
  /** How a client dials again: called when the path in use is lost or in doubt. Goes on until `over` aborts or no path is needed. */
  readonly findPath?: ((over: AbortSignal) => Search) | undefined
  /** The path in use is lost or in doubt: for a server, who only waits. */
  readonly onTrouble?: (() => void) | undefined
  /** There is no path from now on, or there is one again, or nothing to wait for. */
  readonly onSuspension?: ((isSuspended: boolean) => void) | undefined
}

/** What a suspension asks of its session. */
export interface Suspended {
  /** Aborts when the session can have no more use for a path. */
  readonly over: AbortSignal
  readonly needsPath: boolean
  /** What the last path was lost to, where that is known. */
  readonly lossCause: Error | undefined
  /** PATH_LOST when nothing else is known. */
  fail(error?: Error): void
}

/** The time that a session spends without a path, how long that may be, and the search for another. */
export class Suspension {
  readonly #options: SuspensionOptions
  readonly #session: Suspended
  #waiting: AwakeTimer | undefined
  #isTimeUp = false
  #search: Search | undefined
  #released: Promise<void> | undefined
  #resumes = 0

  constructor(options: SuspensionOptions, session: Suspended) {
    this.#options = options
    this.#session = session
  }

  get isOn(): boolean {
    return this.#waiting !== undefined
  }

  /** How much longer another path is waited for, while there is none. */
  get leftMs(): number | undefined {
    return this.#waiting?.leftMs
  }

  /** How often it ended with a path. */
  get resumes(): number {
    return this.#resumes
  }

  /** Settles with the search that is under way, if one is. */
  get released(): Promise<void> | undefined {
    return this.#released
  }

  /**
   * Waits, and looks, for another path; false when there is nothing to wait for. Whoever is done has none, but a client
   * that can't know whether the server is.
   */
  begin(isDone: boolean): boolean {
    const { role, resumeMs, onSuspension } = this.#options
    if (resumeMs === 0 || (isDone && role === 'server')) return false
    if (!this.isOn) {
      const clientMs = isDone ? Math.min(lingerMs, resumeMs) : resumeMs
      const waitMs = role === 'client' ? clientMs : resumeMs + serverGraceMs
      this.#isTimeUp = false
      this.#waiting = startAwakeTimer(waitMs, () => this.#onTimeUp())
      onSuspension?.(true)
    }
    this.look()
    return true
  }

  end({ hasPath }: { hasPath: boolean }): void {
    if (this.#waiting === undefined) return
    this.#waiting.stop()
    this.#waiting = undefined
    if (hasPath) this.#resumes += 1
    this.#options.onSuspension?.(false)
  }

  /** As `look`; what a search that is under way waits for may be of a network that is gone. */
  hurry(): void {
    this.#search?.hurry()
    this.look()
  }

  /** The path in use is lost or in doubt: another one would be of use. */
  look(): void {
    this.#options.onTrouble?.()
    this.#searchUnlessUnderWay()
  }

  #searchUnlessUnderWay(): void {
    const { findPath, resumeMs } = this.#options
    if (findPath === undefined || resumeMs === 0 || this.#search !== undefined) return
    const search = findPath(this.#session.over)
    this.#search = search
    this.#released = search.over
      .catch((error: Error) => this.#session.fail(error))
      .finally(() => {
        this.#search = undefined
        this.#released = undefined
        if (this.isOn && this.#isTimeUp) this.#giveUp(search.lastError)
        // Lost again while the last search was coming to its end.
        else if (this.#session.needsPath) this.#searchUnlessUnderWay()
      })
  }

  /** What its last tries bring may arrive a little later: so long the server waits. */
  #onTimeUp(): void {
    const search = this.#search
    if (search === undefined) return this.#giveUp(undefined)
    this.#isTimeUp = true
    this.#waiting = startAwakeTimer(lastTriesMs, () => this.#giveUp(search.lastError))
    search.finish()
  }

  #giveUp(lastError: Error | undefined): void {
    const why = lastError === undefined ? undefined : `no other path came: ${lastError.message}`
    this.#session.fail(
      new MultiserverError('PATH_LOST', why, { cause: this.#session.lossCause ?? lastError }),
    )
  }
}
