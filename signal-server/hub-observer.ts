import type { HubErrorCode } from '../core/hub-protocol.ts'

/** How an introduction came to its end: `open` is what its peers said when WebRTC stood. */
export const introductionOutcomes = ['open', 'closed', 'gone', 'expired'] as const
export type IntroductionOutcome = (typeof introductionOutcomes)[number]

/** What the client of an introduction to another node was told; `closed`: it did not wait for that. */
export const crossingAnswers = ['introduced', 'PEER_NOT_FOUND', 'ID_IN_USE', 'BUSY', 'closed'] as const
export type CrossingAnswer = (typeof crossingAnswers)[number]

/** Told what happens in a hub, by whoever wants to count it. Nothing here says who, or from where. */
export interface HubObserver {
  registered(): void
  refused(code: HubErrorCode): void
  introductionStarted(): void
  /** `isCrossing`: its peer was at another node. */
  introductionEnded(outcome: IntroductionOutcome, isCrossing: boolean): void
  /** A client that asked for a peer which is not here was answered after so long. */
  crossingAnswered(answer: CrossingAnswer, afterMs: number): void
  turnIssued(): void
}

/** Told what happens on its sockets. */
export interface SocketsObserver {
  received(bytes: number): void
  sent(bytes: number): void
  /** A signal was handed to the other socket this long after it was received. */
  signalPassed(afterMs: number): void
  closed(by: 'hub' | 'peer', code: number): void
  /** It was not even opened. */
  notTaken(code: 'BUSY' | 'RATE'): void
}

/** How a circuit of the relay came to its end: `closed` is when one of its ends went away. */
export const relayOutcomes = ['closed', 'quota', 'idle', 'expired', 'violation', 'drained'] as const
export type RelayOutcome = (typeof relayOutcomes)[number]

/** Told what the relay does. */
export interface RelayObserver {
  /** Both ends of a circuit are there. */
  relayOpened(): void
  relayEnded(outcome: RelayOutcome): void
  relayPassed(bytes: number): void
  relayRefused(code: RelayRefusal): void
}

export const relayRefusals = ['RELAY_OFF', 'QUOTA', 'BUSY'] as const
export type RelayRefusal = (typeof relayRefusals)[number]

export type Observer = HubObserver & SocketsObserver & RelayObserver

/** One that tells each of `observers`; undefined when there is none. */
export function observedBy(observers: readonly Observer[]): Observer | undefined {
  if (observers.length < 2) return observers[0]
  const tell = (to: (observer: Observer) => void): void => {
    for (const observer of observers) to(observer)
  }
  return {
    registered: () => tell((each) => each.registered()),
    refused: (code) => tell((each) => each.refused(code)),
    introductionStarted: () => tell((each) => each.introductionStarted()),
    introductionEnded: (outcome, isCrossing) => tell((each) => each.introductionEnded(outcome, isCrossing)),
    crossingAnswered: (answer, afterMs) => tell((each) => each.crossingAnswered(answer, afterMs)),
    turnIssued: () => tell((each) => each.turnIssued()),
    received: (bytes) => tell((each) => each.received(bytes)),
    sent: (bytes) => tell((each) => each.sent(bytes)),
    signalPassed: (afterMs) => tell((each) => each.signalPassed(afterMs)),
    closed: (by, code) => tell((each) => each.closed(by, code)),
    notTaken: (code) => tell((each) => each.notTaken(code)),
    relayOpened: () => tell((each) => each.relayOpened()),
    relayEnded: (outcome) => tell((each) => each.relayEnded(outcome)),
    relayPassed: (bytes) => tell((each) => each.relayPassed(bytes)),
    relayRefused: (code) => tell((each) => each.relayRefused(code)),
  }
}
