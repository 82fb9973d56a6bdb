import type { TokenBucket } from '../core/token-bucket.ts'
import type { Account } from './accounts.ts'
import type { Alarm } from './alarms.ts'
import type { Intake } from './intake.ts'
import type { Introduction } from './introductions.ts'

/** A number that whoever owns the sockets gives each of them, never twice. */
export type SocketId = number

/**
 * `new`: has neither proved a key nor been introduced; `anonymous`: a client that was introduced;
 * `registered`: proved a key; `gone`: closed, and whatever still arrives from it is dropped.
 */
export type Stage = 'new' | 'anonymous' | 'registered' | 'gone'

export interface Challenge {
  readonly bytes: Uint8Array
  readonly untilMs: number
  /** Names under which the peer may have dialed this hub. They explain a refusal and never decide one. */
  readonly dialedAs: readonly string[]
}

/** The far end of one socket, as the hub sees it. */
export interface Peer {
  readonly socket: SocketId
  readonly account: Account
  readonly intake: Intake
  /** The name of this hub that it seems to have dialed: what it is told of is found under that name. */
  readonly hubName: string
  stage: Stage
  /** Taken away by the first attempt to answer it. */
  challenge: Challenge | undefined
  /** The proved key as base64url. */
  key: string | undefined
  readonly introductions: Set<Introduction>
  /** How fast it may publish. */
  readonly records: TokenBucket
  isPaused: boolean
  /** Until it must be registered or introduced; then until an idle anonymous one goes. */
  deadline: Alarm | undefined
  /** The next ping, or the time by which its pong must have come. */
  heartbeat: Alarm | undefined
  /** When a paused socket is looked at again. */
  turn: Alarm | undefined
  /** When its TURN credentials are to be renewed. */
  renewal: Alarm | undefined
}
