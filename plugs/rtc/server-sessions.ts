import { whenAborted } from '../../core/aborts.ts'
import { toBase64 } from '../../core/bytes.ts'
import { untilAborted } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { isBetterThanRelay } from './better-path.ts'
import { Session } from './session.ts'
import { SessionPath } from './session-path.ts'
import type { ByteStream, Bytes } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { IntroductionTarget } from './server-introduction.ts'

const { finished: mostFinished, suspended: mostSuspended } = limits.resume
const { suspendedBytes, suspendedBytesAtOnce, suspendedSafeMs } = limits.resume

/** Whom a path is for; what it does with it settles when that is known. */
export interface PathTaker extends IntroductionTarget {
  take(path: FramePath): Promise<void>
  /** The introduction brings no other path than what it has brought, if anything. */
  onFailed?(thrown: unknown): void
  /** The introduction is over, however it ended. */
  onOver?(): void
}

/** What new sessions are made for. */
export interface SessionOwner extends IntroductionTarget {
  /** What `address` of a connection begins with. */
  readonly section: string
  readonly resumeMs: number
  readonly accept: (stream: ByteStream) => void
}

/** Those of every key of this process, longest suspended first, and since when. */
const suspended = new Map<Session, number>()

/** One for each own key: a client may come back through another hub, or to a stack that began to listen later. */
const kept = new Map<string, ServerSessions>()

/** The sessions of an own key. `onTrouble` is called when one of them is without a path or may soon be. */
export function joinServerSessions(
  key: Uint8Array,
  onTrouble: () => void,
): { sessions: ServerSessions; leave: () => void } {
  const name = toBase64(key)
  const sessions = kept.get(name) ?? new ServerSessions(() => kept.delete(name))
  kept.set(name, sessions)
  return { sessions, leave: sessions.join(onTrouble) }
}

/** Sessions of one server key by their ids: those that live, and for a while what those were that finished. */
export class ServerSessions {
  readonly #forget: () => void
  readonly #troubleListeners = new Set<() => void>()
  readonly #living = new Map<string, PathTaker & { session: Session }>()
  /** Those that an introduction is to bring the first path for, and has not yet, or has lost again before it was open. */
  readonly #beginning = new Map<string, PathTaker>()
  /** Oldest first. */
  readonly #finished = new Map<string, PathTaker & { until: number }>()

  constructor(forget: () => void) {
    this.#forget = forget
  }

  /** Whether a session waits for another path, be it that its last is only in doubt. */
  get someNeedPath(): boolean {
    return [...this.#living.values()].some(({ session }) => session.needsPath)
  }

  join(onTrouble: () => void): () => void {
    this.#troubleListeners.add(onTrouble)
    return () => {
      this.#troubleListeners.delete(onTrouble)
      this.#forgetWhenIdle()
    }
  }

  /**
   * Who takes another path for a session that is known, or that is being introduced: its client may have one open that was lost
   * here before its HELLO came.
   */
  find(id: Bytes): PathTaker | undefined {
    const name = toBase64(id)
    return this.#findBegun(name) ?? this.#beginning.get(name)
  }

  #findBegun(name: string): PathTaker | undefined {
    const finished = this.#finished.get(name)
    if (finished !== undefined && finished.until > performance.now()) return finished
    return this.#living.get(name)
  }

  /** Who takes the first paths of a new session. */
  begin(id: Bytes, owner: SessionOwner): PathTaker {
    const name = toBase64(id)
    let begun: Session | undefined
    let isAccepted = false
    // A session that was accepted is to have what its introduction still brings, although nobody listens any more.
    const stop = new AbortController()
    const unlisten = whenAborted(owner.signal, () => isAccepted || stop.abort())
    const onOver = () => {
      unlisten()
      this.#beginning.delete(name)
    }
    const take = async (path: FramePath) => {
      if (begun !== undefined) await begun.addPath(path).opened
      // The same offer twice: an introduction changes nothing in a session that exists.
      else if (this.#findBegun(name) !== undefined) path.close()
      else {
        const session = await this.#begin(id, owner, path, { stop, onSession: (each) => (begun = each) })
        isAccepted = true
        onOver()
        whenAborted(session.over, () => stop.abort())
        owner.accept(session)
      }
    }
    // Of one that has been open, its client may bring another.
    const onFailed = (thrown: unknown) => {
      if (!isAccepted) begun?.fail(toError(thrown, 'CONNECT_FAILED'))
    }
    const taker = { options: owner.options, signal: stop.signal, take }
    this.#beginning.set(name, taker)
    return { ...taker, onFailed, onOver }
  }

  /** Of the introduction that brings the first path. `onSession` hears of it, and again when it came to nothing: then the next path begins another. */
  async #begin(
    id: Bytes,
    owner: SessionOwner,
    path: FramePath,
    first: { stop: AbortController; onSession: (session: Session | undefined) => void },
  ): Promise<Session> {
    const { section: address, resumeMs } = owner
    const session: Session = new Session({
      id,
      role: 'server',
      address,
      source: path.source,
      resumeMs,
      onTrouble: () => this.#troubleListeners.forEach((listener) => listener()),
      onSuspension: (isSuspended) => (isSuspended ? keepSuspended(session) : suspended.delete(session)),
    })
    this.#keep(id, session, owner, first.stop)
    first.onSession(session)
    session.addPath(path)
    try {
      await untilAborted(session.opened, owner.signal, () => undefined)
    } catch (thrown) {
      first.onSession(undefined)
      session.abort(toError(thrown, 'CONNECT_FAILED'))
      throw thrown
    }
    return session
  }

  #keep(id: Bytes, session: Session, owner: SessionOwner, first: AbortController): void {
    const { options, resumeMs } = owner
    const name = toBase64(id)
    const take = async (path: FramePath) => {
      await session.addPath(path).opened
      // It has found what the first may still be looking for.
      if (isBetterThanRelay(session.info.path)) first.abort()
    }
    this.#living.set(name, { session, options, signal: session.over, take })
    const onOver = () => {
      this.#living.delete(name)
      if (session.isDone && resumeMs > 0) this.#remember(id, session.received, owner)
      this.#forgetWhenIdle()
    }
    session.over.addEventListener('abort', onOver, { once: true })
  }

  #remember(id: Bytes, received: number, owner: SessionOwner): void {
    const { options, signal, resumeMs } = owner
    const take = (path: FramePath) => answerFinished(path, id, received, signal)
    const until = performance.now() + resumeMs
    this.#finished.set(toBase64(id), { options, signal, take, until })
    for (const [oldest, entry] of this.#finished) {
      if (this.#finished.size <= mostFinished && entry.until > performance.now()) break
      this.#finished.delete(oldest)
    }
  }

  /** Nobody can ask any more, and nothing is left that one could ask about. */
  #forgetWhenIdle(): void {
    if (this.#troubleListeners.size === 0 && this.#living.size === 0) this.#forget()
  }
}

/**
 * The longest suspended go first when there are too many, or they hold too much. A network that fails for a moment suspends all at
 * once, and each holds what it was allowed to a moment ago: so they get some time, unless it is too much by far.
 */
function keepSuspended(session: Session): void {
  const now = performance.now()
  suspended.set(session, now)
  let bytes = 0
  for (const each of suspended.keys()) bytes += each.heldBytes
  for (const [oldest, since] of suspended) {
    const mostBytes = now - since < suspendedSafeMs ? suspendedBytesAtOnce : suspendedBytes
    const areTooMany = suspended.size > mostSuspended
    if (!areTooMany && bytes <= mostBytes) return
    // One that holds nothing would free nothing.
    if (!areTooMany && oldest.heldBytes === 0) continue
    bytes -= oldest.heldBytes
    oldest.fail(new MultiserverError('PATH_LOST', 'too many connections wait for another path'))
  }
}

/** Tells a client that its end has come, and that is all: HELLO says so, and PONG that this is all there was to ask. */
async function answerFinished(
  framePath: FramePath,
  session: Bytes,
  received: number,
  signal: AbortSignal,
): Promise<void> {
  const ignore = () => undefined
  const events = {
    onOpen: ignore,
    onAnswer: ignore,
    onFrame: ignore,
    onRoom: ignore,
    onChange: ignore,
    onLost: ignore,
  }
  const path = new SessionPath(framePath, session, events)
  const close = () => path.close()
  const timer = setTimeout(close, limits.session.serverCloseMs)
  const stop = whenAborted(signal, close)
  path.start({ received, limit: received - 1 })
  await path.closed
  clearTimeout(timer)
  stop()
}
