import { limits } from '../../core/limits.ts'
import { SessionPath, type Hello, type SessionPathEvents } from './session-path.ts'
import type { Bytes, Path } from '../../core/types.ts'
import type { FramePath, PathTimes } from './frame-path.ts'

const { paths: mostPaths, worseCloseMs } = limits.session

/** Better first. */
const ranks: readonly Path[] = ['direct', 'turn', 'relay']

export interface SessionPathsOptions {
  /** 16 bytes that name the session. */
  readonly session: Bytes
  /** Only one side closes the paths that are not needed: both would close the other's choice. */
  readonly closesWorse: boolean
  /** The peer's HELLO on a path; false: the path is not to be used. */
  readonly onOpen: (hello: Hello) => boolean
  readonly onFrame: (path: SessionPath, frame: Parameters<SessionPathEvents['onFrame']>[0]) => void
  /** A PING is about to be answered on the path. */
  readonly onAnswer: (path: SessionPath) => void
  /** The queue of a path that was full has room again. */
  readonly onRoom: () => void
  /** Another path is in use, or none. */
  readonly onCurrent: (path: SessionPath | undefined) => void
  /** Nothing gets through on the path in use at the moment, and there is no better one. */
  readonly onDoubt: () => void
  /** A path is gone, after `onCurrent` where it was the one in use. */
  readonly onLost: () => void
}

/** The paths of a session, at most four, and which of them is in use: direct, turn, relay, the newest among equals. */
export class SessionPaths {
  readonly #options: SessionPathsOptions
  /** Oldest first. */
  readonly #paths = new Set<SessionPath>()
  readonly #unreleased = new Set<Promise<void>>()
  readonly #listeners = new Set<(kind: Path) => void>()
  #current: SessionPath | undefined
  #usage: FramePath['usage']
  #lossCause: Error | undefined
  /** That of the path in use, as listeners know it. */
  #kind: Path | undefined
  #changes = 0
  #tookMs: PathTimes = {}
  /** Whether one that goes ahead of no others has been open. */
  #hasStood = false
  #worseTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: SessionPathsOptions) {
    this.#options = options
  }

  get current(): SessionPath | undefined {
    return this.#current
  }

  /** How often one of another kind was taken into use, or one again, or that in use became another. */
  get changes(): number {
    return this.#changes
  }

  /** What the newest path of each kind took to open. */
  get tookMs(): PathTimes {
    return this.#tookMs
  }

  /** What the last path was lost to, where that is known. */
  get lossCause(): Error | undefined {
    return this.#lossCause
  }

  get open(): SessionPath[] {
    return [...this.#paths].filter((path) => path.isOpen)
  }

  /** Those too on which only this side's HELLO has left. */
  get all(): SessionPath[] {
    return [...this.#paths]
  }

  /** Neither an open path nor one that may become one. */
  get isEmpty(): boolean {
    return this.#paths.size === 0
  }

  /** Calls back whenever a path of another kind is in use, or one again; the returned function stops that. */
  onChange(listener: (kind: Path) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes a path that is open: HELLO goes out at once. */
  add(framePath: FramePath, hello: { received: number; limit: number }): SessionPath {
    const { session, onOpen, onAnswer, onFrame, onRoom } = this.#options
    const path: SessionPath = new SessionPath(framePath, session, {
      onOpen: (theirs) => {
        // The far side has left it for another already, and would hear nothing.
        if (path.isAhead && this.#hasStood) return this.lose(path)
        if (!onOpen(theirs)) return
        this.#tookMs = { ...this.#tookMs, ...framePath.tookMs }
        this.#hasStood ||= !path.isAhead
        this.#choose()
        // HELLO acknowledges and gives credit as ACK does, and may be the only one to.
        onRoom()
        this.#closeAhead()
        this.#loseOldest((each) => each.isOpen)
        // The far side may have brought it because it hears nothing by the others.
        for (const other of this.open) if (other !== path) other.check()
      },
      onAnswer: () => onAnswer(path),
      onFrame: (frame) => onFrame(path, frame),
      onRoom,
      onChange: () => this.#onChange(),
      onLost: () => this.#onLost(path),
    })
    if (framePath.usage !== undefined) {
      if (this.#usage !== undefined) framePath.usage.follow(this.#usage)
      this.#usage = framePath.usage
    }
    this.#paths.add(path)
    this.#unreleased.add(path.closed)
    void path.closed.then(() => this.#unreleased.delete(path.closed))
    path.start(hello)
    this.#loseOldest((each) => !each.isOpen)
    return path
  }

  /** Gives one up as if it had been lost. */
  lose(path: SessionPath): void {
    path.close()
    this.#onLost(path)
  }

  /** Closes those on which the peer's HELLO has not come. */
  closeUnopened(): void {
    for (const path of this.#paths) {
      if (path.isOpen) continue
      this.#paths.delete(path)
      path.close()
    }
  }

  closeAll(how?: { atOnce: boolean }): void {
    clearTimeout(this.#worseTimer)
    this.#current = undefined
    for (const path of this.#paths) path.close(how)
    this.#paths.clear()
  }

  /** Resolves when nothing is left of any path that the session had. */
  async released(): Promise<void> {
    await Promise.all(this.#unreleased)
  }

  /** When there are too many. One that is open gives way only to another that is: whoever has not said HELLO is nobody. */
  #loseOldest(isAlike: (path: SessionPath) => boolean): void {
    const alike = [...this.#paths].filter(isAlike)
    const [oldest] = alike
    if (alike.length > mostPaths && oldest !== undefined) this.lose(oldest)
  }

  /** Who fell back to it, full as it is, would not look for another. */
  #closeAhead(): void {
    if (this.#current?.isAhead !== false) return
    for (const path of this.#paths) {
      if (!path.isAhead) continue
      this.#paths.delete(path)
      path.close()
    }
  }

  #onLost(path: SessionPath): void {
    this.#paths.delete(path)
    // One that never opened took nothing away.
    if (path.openedAt !== Infinity) this.#lossCause = path.usage?.limit
    this.#choose()
    this.#options.onLost()
  }

  #onChange(): void {
    this.#choose()
    if (this.#current?.isDoubtful === true) this.#options.onDoubt()
  }

  /** One that nothing gets through at the moment is worse than any other. */
  #choose(): void {
    const newestFirst = this.open.toReversed()
    const rank = (path: SessionPath) => ranks.indexOf(path.kind) + (path.isDoubtful ? ranks.length : 0)
    const [best, ...worse] = newestFirst.toSorted((a, b) => rank(a) - rank(b))
    if (worse.length > 0 && this.#options.closesWorse) {
      this.#worseTimer ??= setTimeout(() => this.#closeWorse(), worseCloseMs)
    }
    if (best !== this.#current) {
      this.#current = best
      this.#options.onCurrent(best)
    } else if (best?.kind === this.#kind) return
    if (best !== this.#current) return
    const isOther = best?.kind !== this.#kind
    this.#kind = best?.kind
    if (best === undefined || !isOther) return
    this.#changes += 1
    for (const listener of this.#listeners) listener(best.kind)
  }

  /** Not while the path in use is new: it has to show first that it is better. */
  #closeWorse(): void {
    this.#worseTimer = undefined
    const current = this.#current
    if (current === undefined || this.open.length === 1) return
    const stoodMs = performance.now() - current.openedAt
    const standsMs = current.isDoubtful ? worseCloseMs : worseCloseMs - stoodMs
    if (standsMs > 0) {
      this.#worseTimer = setTimeout(() => this.#closeWorse(), standsMs)
      return
    }
    for (const path of this.open) {
      if (path === current) continue
      this.#paths.delete(path)
      path.close()
    }
  }
}
