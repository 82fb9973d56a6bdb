import { signal, type ReadonlySignal } from '@preact/signals'
import type { RtcOptions } from '../../plugs/rtc/index.ts'

/**
 * Stands between this page and its WebRTC, as a bad network would: it cuts the direct paths that are open and lets no
 * other open. It is handed to the plug where a peer on Node hands it the package wrtc.
 */
export class Firewall {
  readonly #isClosed = signal(false)
  readonly #channels = new Set<RTCDataChannel>()

  /** Whether no direct path gets through now. */
  get isClosed(): ReadonlySignal<boolean> {
    return this.#isClosed
  }

  /** Undefined where there is no WebRTC: then the plug says so itself. */
  get webRtc(): RtcOptions['wrtc'] {
    const { RTCPeerConnection: Native, RTCSessionDescription, RTCIceCandidate } = globalThis
    if (typeof Native === 'undefined') return undefined
    const configure = (config?: RTCConfiguration) =>
      // Without a TURN server this leaves no way at all.
      this.#isClosed.value ? { ...config, iceTransportPolicy: 'relay' as const } : config
    const watch = (channel: RTCDataChannel) => this.#watch(channel)
    // Called with `new`, which an arrow function can't be.
    function makeConnection(config?: RTCConfiguration): RTCPeerConnection {
      const made = new Native(configure(config))
      const create = made.createDataChannel.bind(made)
      made.createDataChannel = (label, init) => watch(create(label, init))
      // A dial knows its servers only after it has begun.
      const setConfiguration = made.setConfiguration.bind(made)
      made.setConfiguration = (later) => setConfiguration(configure(later))
      return made
    }
    return {
      RTCPeerConnection: makeConnection as unknown as typeof RTCPeerConnection,
      RTCSessionDescription,
      RTCIceCandidate,
    }
  }

  close(): void {
    this.#isClosed.value = true
    for (const channel of this.#channels) channel.close()
  }

  open(): void {
    this.#isClosed.value = false
  }

  #watch(channel: RTCDataChannel): RTCDataChannel {
    this.#channels.add(channel)
    channel.addEventListener('close', () => this.#channels.delete(channel), { once: true })
    return channel
  }
}
