/** Holds the candidates of WebRTC connections back: no direct path stands before it is opened. */
export class DirectGate {
  #isOpen = false
  #waiting: (() => void)[] = []

  /** Given to `connectPair`. */
  readonly prepare = (connection: RTCPeerConnection): void => {
    const add = connection.addIceCandidate.bind(connection)
    connection.addIceCandidate = async (candidate?: RTCIceCandidateInit | null) => {
      if (!this.#isOpen) await new Promise<void>((resolve) => this.#waiting.push(resolve))
      if (connection.signalingState !== 'closed') await add(candidate)
    }
  }

  open(): void {
    this.#isOpen = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** For connections that are made from now on. */
  close(): void {
    this.#isOpen = false
  }
}
