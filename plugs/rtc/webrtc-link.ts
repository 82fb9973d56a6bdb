import type Peer from 'simple-peer/simplepeer.min.js'
import { equalBytes, view } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { timeStages } from '../../core/stage-times.ts'
import { factory } from '#wrtc'
import { describePair, watchPair, type PairFacts } from './candidate-pair.ts'
import { EarlyMessages } from './early-messages.ts'
import { byeMessage } from './frames.ts'
import { createPeer, keepConnection, type KeptConnection } from './kept-connection.ts'
import { QueueLook } from './queue-look.ts'
import { begunByOfferer, maxMessageSize, rebuildSdp } from './sdp.ts'
import { SteadySender } from './steady-sender.ts'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { Bytes, PathStage } from '../../core/types.ts'
import type { FramePath } from './frame-path.ts'
import type { WebRtc } from './wrtc.ts'

export interface WebRtcLinkOptions {
  readonly initiator: boolean
  readonly webRtc: WebRtc
  /** An offer may be made before they are known: only gathering waits for them. */
  readonly iceServers: readonly IceServer[] | Promise<readonly IceServer[]>
  readonly iceTransportPolicy?: RTCIceTransportPolicy | undefined
  /** Raw candidates as they are found; null once there are no more. */
  readonly onCandidate: (candidate: { candidate: string; mid: string } | null) => void
  /** Each once, in this order. */
  readonly onStage?: ((stage: LinkStage) => void) | undefined
}

export type LinkStage = Exclude<PathStage, 'relay'>

const { channelCloseMs, quietMs } = limits.session

/** WebRTC connections of this process: each costs threads and sockets that only the process as a whole can bound. */
let connections = 0

/**
 * One WebRTC connection with its one data channel, from the first description to the open path.
 * It is never renegotiated: only fresh `{ type, sdp }` and `{ candidate }` objects reach simple-peer, for anything
 * else would make it renegotiate, throw or stop.
 */
export class WebRtcLink {
  /** The rebuilt description of this side, without candidates. */
  readonly description: Promise<string>
  readonly opened: Promise<FramePath>
  /** Resolves when the connection is released. */
  readonly closed: Promise<void>
  readonly #peer: Peer.Instance
  readonly #kept: KeptConnection
  readonly #initiator: boolean
  readonly #onStage: WebRtcLinkOptions['onStage']
  #stages = timeStages<LinkStage>(undefined)
  /** My offer is set: an answer may be. */
  readonly #isOffered: Promise<void>
  readonly #early = new EarlyMessages()
  readonly #sender: SteadySender
  readonly #look = new QueueLook(() => this.#peer.bufferSize)
  #peerMessageBytes = 0
  #peerSaysBye = false
  /** This side sends nothing any more. */
  #isLeaving = false
  #hasSaidBye = false
  #hasHeardBye = false
  /** From then on nobody is waited for, by the clock of performance.now(). */
  #closeAt = Infinity
  #closeTimer: ReturnType<typeof setTimeout> | undefined
  /** When the last message came or left, or the channel opened: what came is about to be answered, with HELLO first. */
  #busyAt = -Infinity

  /** @throws RTC_LIMIT */
  constructor(options: WebRtcLinkOptions) {
    requireRoom()
    this.#initiator = options.initiator
    this.#onStage = options.onStage
    let describe: (sdp: string | undefined) => void = () => undefined
    if (options.iceServers instanceof Promise) options.iceServers.catch(() => undefined)
    const kept = keepConnection(options, {
      onDescription: (sdp) => describe(sdp),
      onChannelOpen: () => {
        this.#busyAt = performance.now()
        this.#reach('dtls')
        if (this.#isLeaving) this.#leave()
      },
    })
    this.#kept = kept
    const peer = createPeer(options, kept.webRtc)
    const send = (message: Bytes) => {
      this.#look.add(message.length)
      try {
        peer.send(message)
      } catch {
        peer.destroy()
      }
    }
    this.#sender = new SteadySender(send, { waits: !options.initiator })
    const letGo = factory.connect()
    connections += 1
    this.#peer = peer
    const early = this.#early
    let failure: Error | undefined
    // For life: an 'error' event that nobody hears would end the process.
    peer.on('error', (error: Error) => (failure ??= error))
    peer.on('data', (message: Uint8Array<ArrayBuffer> | string) => {
      this.#busyAt = performance.now()
      // Text is no frame: an empty message is refused as such.
      const bytes = typeof message === 'string' ? new Uint8Array(0) : view(message)
      const isBye = this.#peerSaysBye && equalBytes(bytes, byeMessage)
      this.#sender.begin()
      if (isBye) return this.#hearBye()
      early.deliver(bytes)
      if (this.#isLeaving && !this.#hasSaidBye) this.#leave()
    })
    this.closed = new Promise((resolve) => {
      peer.once('close', () => {
        connections -= 1
        letGo()
        this.#sender.stop()
        clearTimeout(this.#closeTimer)
        early.close()
        resolve()
      })
    })
    let offered: () => void = () => undefined
    this.#isOffered = new Promise((resolve) => (offered = resolve))
    this.description = new Promise((resolve, reject) => {
      describe = (made) => {
        const sdp = rebuildSdp(made ?? '', options.initiator ? 'offer' : 'answer')
        if (sdp === null)
          reject(new MultiserverError('RTC_UNAVAILABLE', 'WebRTC made an unusable description'))
        else resolve(sdp)
      }
      peer.on('signal', (signal) => {
        if (signal.type === 'offer') offered()
        if (signal.type !== 'candidate') return
        const { candidate, sdpMid } = signal.candidate
        options.onCandidate({ candidate, mid: sdpMid ?? '0' })
      })
      peer.once('close', () => reject(lost(failure)))
    })
    peer.on('iceStateChange', (connection: string, gathering: string) => {
      if (gathering === 'complete') options.onCandidate(null)
      if (connection === 'disconnected') early.doubt()
      if (connection === 'connected' || connection === 'completed') this.#reach('ice')
    })
    this.opened = new Promise((resolve, reject) => {
      peer.once('connect', () => {
        void describePair(kept.connection()).then((facts) => resolve(this.#asPath(facts)))
      })
      peer.once('close', () => reject(lost(failure)))
    })
    for (const promise of [this.description, this.opened]) promise.catch(() => undefined)
  }

  /** The far side's description, rebuilt already, and whether it says when it sends no more. */
  accept(sdp: string, says: { bye: boolean }): void {
    this.#peerMessageBytes = maxMessageSize(sdp)
    this.#peerSaysBye = says.bye
    this.#stages = timeStages(this.#onStage)
    if (!this.#initiator) return this.#signal({ type: 'offer', sdp: begunByOfferer(sdp) })
    // Gathering, and with it what an answer needs, may still wait for its servers.
    void this.#isOffered.then(() => this.#signal({ type: 'answer', sdp }))
  }

  addCandidate(candidate: string, mid: string): void {
    const init: RTCIceCandidateInit = { candidate, sdpMid: mid, sdpMLineIndex: 0 }
    // The types ask for a whole RTCIceCandidate; simple-peer makes one from this.
    this.#signal({ type: 'candidate', candidate: init as RTCIceCandidate })
  }

  /**
   * Whoever sends with wrtc when the connection ends may crash. So this side says that it sends no more, and waits until the
   * far side has said so. Then the data channel goes, and the rest once the far side knows. For its bye it has two seconds; what
   * is still queued then is lost. The side that answered sends nothing before it has heard something: a connection that the
   * other gives up while its channel opens is not sent into.
   */
  close(how?: { atOnce: boolean }): void {
    if (how?.atOnce === true) return void this.#peer.destroy()
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#closeAt = performance.now() + channelCloseMs
    this.#leave()
  }

  /** As far as it goes now; again when the channel opens, when something comes, and in time. */
  #leave(): void {
    clearTimeout(this.#closeTimer)
    const channel = this.#kept.channel()
    let waitsUntil = this.#closeAt
    if (channel?.readyState === 'open' && this.#sender.mayBegin) {
      if (this.#peerSaysBye && !this.#hasSaidBye) this.#sayBye()
      else if (this.#hasHeardBye) return void this.#peer.destroy()
      // Who says no bye stops when nobody acknowledges any more.
      if (!this.#peerSaysBye) waitsUntil = Math.min(this.#busyAt + quietMs, waitsUntil)
      if (this.#hasHeardBye || performance.now() >= waitsUntil) return this.#closeChannel(channel)
    } else if (!this.#mayBeSentTo(channel) || performance.now() >= waitsUntil)
      return void this.#peer.destroy()
    this.#closeTimer = setTimeout(() => this.#leave(), waitsUntil - performance.now())
  }

  /** Whether the far side's channel may be open, and it says HELLO. Without a way it is not: DTLS takes two. */
  #mayBeSentTo(channel: RTCDataChannel | undefined): boolean {
    if (channel?.readyState === 'open') return true
    const ice = this.#kept.connection()?.iceConnectionState
    const isOpening = channel?.readyState === 'connecting' && (ice === 'connected' || ice === 'completed')
    return isOpening && !this.#initiator
  }

  #sayBye(): void {
    this.#hasSaidBye = true
    this.#send(byeMessage)
  }

  #hearBye(): void {
    if (this.#hasHeardBye) return
    this.#hasHeardBye = true
    if (this.#isLeaving) return this.#leave()
    // Who is about to take the path is told by it what came before.
    const end = () => {
      this.#early.close()
      this.close()
    }
    this.opened.then(end, () => undefined)
  }

  #closeChannel(channel: RTCDataChannel): void {
    // What is left of the time, and a few round trips in any case.
    const waitMs = Math.max(this.#closeAt - performance.now(), channelCloseMs / 4)
    this.#closeTimer = setTimeout(() => this.#peer.destroy(), waitMs)
    channel.close()
  }

  #send(message: Bytes): void {
    this.#busyAt = performance.now()
    this.#sender.send(message)
  }

  /** WebRTC tells of one thread's stage and of another's: what must have been is taken to be. */
  #reach(stage: LinkStage): void {
    if (stage === 'dtls') this.#reach('ice')
    if (this.#stages.stageMs[stage] === undefined) this.#stages.onProgress(stage)
  }

  #signal(signal: Peer.SignalData): void {
    try {
      if (!this.#peer.destroyed) this.#peer.signal(signal)
    } catch {
      this.#peer.destroy()
    }
  }

  #asPath(first: PairFacts): FramePath {
    const early = this.#early
    const kept = this.#kept
    const [look, sender] = [this.#look, this.#sender]
    let facts = first
    const stopWatching = watchPair(kept.connection(), (now) => {
      const isOther = now.kind !== facts.kind
      facts = now
      if (isOther) early.change()
    })
    void this.closed.then(stopWatching)
    return {
      source: first.source,
      get kind() {
        return facts.kind
      },
      get candidates() {
        return facts.candidates
      },
      tookMs: this.#stages.stageMs,
      maxFrameBytes: Math.min(this.#peerMessageBytes, limits.session.frameBytes),
      get queuedBytes() {
        return sender.heldBytes + look.queuedBytes
      },
      send: (frame) => {
        if (this.#isLeaving) return
        this.#send(frame)
      },
      start(handlers) {
        kept.channel()?.addEventListener('bufferedamountlow', () => early.drain())
        early.start(handlers)
      },
      close: (how) => this.close(how),
      closed: this.closed,
    }
  }
}

/** @throws RTC_LIMIT when this process has as many connections as it may */
export function requireRoom(): void {
  if (connections >= limits.introduction.connections) throw new MultiserverError('RTC_LIMIT')
}

function lost(cause: Error | undefined): MultiserverError {
  return new MultiserverError('CONNECT_FAILED', cause?.message ?? 'the WebRTC connection was closed', {
    cause,
  })
}
