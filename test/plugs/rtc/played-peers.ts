import { fromBase64Url, toBase64 } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { MultiServer } from '../../../core/multiserver.ts'
import { generateKeys, type Keys } from '../../../plugs/keys.ts'
import rtc, { type RtcOptions } from '../../../plugs/rtc/index.ts'
import { createServerSignals } from '../../../plugs/rtc/signals.ts'
import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import shs from '../../../plugs/shs/index.ts'
import { FakeHub, type FakeHubPeer, type FakeHubRules } from './fake-hub.ts'
import { areClosed, countingWebRtc, until } from './leftovers.ts'
import type { PeerMessage } from '../../../core/hub-protocol.ts'
import type { DialStage } from '../../../core/types.ts'
import type { CandidateSignal, Offer } from '../../../plugs/rtc/signal-payload.ts'

/** What a client by hand offers; with this description no connection comes of it. */
export const offer: Offer = {
  kind: 'offer',
  session: new Uint8Array(16).fill(6),
  resume: false,
  transforms: ['shs'],
  relay: 'never',
  sdp: 'v=0\r\n',
}

interface PlayedServer {
  readonly keys: Keys
  /** Of the client. */
  readonly options?: RtcOptions
  /** Of the hub. */
  readonly rules?: FakeHubRules
  /** Plays it, for each introduction. */
  readonly serve: (
    signals: ReturnType<typeof createServerSignals>,
    peer: FakeHubPeer,
    introduced: string,
  ) => Promise<void>
  readonly onStage?: (stage: DialStage) => void
}

/** Dials a server that is played, hub and all. */
export async function dialPlayed({ keys, options, rules, serve, onStage }: PlayedServer) {
  const played: Promise<void>[] = []
  const hub = await FakeHub.start({
    ...rules,
    onIntroduce(peer, introduced) {
      const signals = createServerSignals({ id: bytesOf(introduced), identity: createIdentity(keys) })
      peer.say({ type: 'introduced', id: introduced, iceServers: [] })
      played.push(serve(signals, peer, introduced))
    },
  })
  const { webRtc, connections } = countingWebRtc()
  const controller = new AbortController()
  const ms = MultiServer([[rtc({ ...options, wrtc: webRtc }), shs({ keys: await generateKeys() })]])
  const dial = ms.client(`rtc:127.0.0.1!:${hub.port}~shs:${toBase64(keys.publicKey)}`, {
    timeoutMs: 8000,
    signal: controller.signal,
    onProgress: ({ stage }) => onStage?.(stage),
  })
  dial.catch(() => undefined)
  return {
    dial,
    controller,
    connections,
    /** What the hub has heard. */
    end: async (): Promise<PeerMessage[]> => {
      await Promise.all(played)
      await until(() => areClosed(connections), 'the WebRTC connection is closed')
      await hub.close()
      return hub.peers.flatMap(({ heard }) => heard)
    },
  }
}

/** A WebRTC connection by hand, which makes no use of candidates, its own and the far side's, until it is told to. */
export class HandLink extends WebRtcLink {
  readonly #mine: CandidateSignal[]
  readonly #theirs: CandidateSignal[] = []
  #tell: ((signal: CandidateSignal) => Promise<void>) | undefined

  constructor(initiator: boolean) {
    const mine: CandidateSignal[] = []
    super({
      initiator,
      webRtc: countingWebRtc().webRtc,
      iceServers: [],
      onCandidate: (found) => {
        if (found === null) return
        mine.push({ kind: 'candidate', ...found })
        this.#flush()
      },
    })
    this.#mine = mine
  }

  hear(signal: CandidateSignal): void {
    if (signal.candidate !== '') this.#theirs.push(signal)
    this.#flush()
  }

  connect(tell: (signal: CandidateSignal) => Promise<void>): void {
    this.#tell = tell
    this.#flush()
  }

  #flush(): void {
    if (this.#tell === undefined) return
    for (const { candidate, mid } of this.#theirs.splice(0)) this.addCandidate(candidate, mid)
    for (const signal of this.#mine.splice(0)) this.#tell(signal).catch(() => undefined)
  }
}

/** The description of a connection that is gone already: what answers it makes nothing of it. */
export async function anyOffer(): Promise<string> {
  const link = new HandLink(true)
  const sdp = await link.description
  link.close()
  await link.closed
  return sdp
}

/** The data of signal number `index` that the peer has sent. */
export async function nextSignal(peer: FakeHubPeer, index: number): Promise<string> {
  await peer.heardThat(({ type }) => type === 'signal', index + 1)
  const signals = peer.heard.flatMap((message) => (message.type === 'signal' ? [message.data] : []))
  return signals[index] ?? ''
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64Url(text) ?? new Uint8Array(0)
}
