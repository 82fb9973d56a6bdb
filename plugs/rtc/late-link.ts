import { MultiserverError } from '../../core/errors.ts'
import type { WebRtcLink } from './webrtc-link.ts'

/** What an introduction does with its WebRTC connection. */
export type Link = Pick<WebRtcLink, 'description' | 'opened' | 'closed' | 'accept' | 'addCandidate' | 'close'>

/** A link that is made when `start` resolves, unless it is closed before. What it is told until then, it hears then. */
export class LateLink implements Link {
  readonly description: Link['description']
  readonly opened: Link['opened']
  readonly closed: Promise<void>
  readonly #made: Promise<WebRtcLink>
  #giveUp: () => void = () => undefined

  constructor(start: Promise<void>, make: () => WebRtcLink) {
    const givenUp = new Promise<never>((_resolve, reject) => {
      this.#giveUp = () => reject(new MultiserverError('CONNECT_FAILED', 'WebRTC was not needed'))
    })
    this.#made = Promise.race([start, givenUp]).then(make)
    this.description = this.#made.then((link) => link.description)
    this.opened = this.#made.then((link) => link.opened)
    this.closed = this.#made.then(
      (link) => link.closed,
      () => undefined,
    )
    for (const promise of [this.description, this.opened]) promise.catch(() => undefined)
  }

  accept(sdp: string, says: { bye: boolean }): void {
    this.#tell((link) => link.accept(sdp, says))
  }

  addCandidate(candidate: string, mid: string): void {
    this.#tell((link) => link.addCandidate(candidate, mid))
  }

  close(how?: { atOnce: boolean }): void {
    this.#giveUp()
    this.#tell((link) => link.close(how))
  }

  #tell(what: (link: WebRtcLink) => void): void {
    this.#made.then(what).catch(() => undefined)
  }
}
