import { batch, signal } from '@preact/signals'
import { petName } from '../../cli/demo/pet-name.ts'
import { announcedKey, type Hello, type LobbyEntry } from '../../cli/demo/protocol.ts'
import { Talk } from '../../cli/demo/talk.ts'
import { equalBytes, toBase64 } from '../../core/bytes.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { reachOfHub } from '../../core/reach.ts'
import { rtc } from '../../plugs/rtc/index.ts'
import { shs } from '../../plugs/shs/index.ts'
import { shs2 } from '../../plugs/shs2/index.ts'
import { tunnel } from '../../plugs/tunnel/index.browser.ts'
import { ws } from '../../plugs/ws.browser.ts'
import { Conversation } from './conversation.ts'
import { FileOnItsWay } from './file-on-its-way.ts'
import { Firewall } from './firewall.ts'
import { LiveTalk } from './live-talk.ts'
import { Peer, type About, type Peers } from './peer.ts'
import { overWords } from './way-words.ts'
import type { FileSource } from '../../cli/demo/outgoing-file.ts'
import type { Connection } from '../../core/connection.ts'
import type { DialStage, Scope } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.browser.ts'

export interface DialPeerOptions {
  readonly signal?: AbortSignal | undefined
  readonly onStage?: ((stage: DialStage) => void) | undefined
  /** How near the place may be. @default anywhere */
  readonly reach?: Scope | undefined
  /** For the lobby, which alone says who is there. */
  readonly onRoster?: ((entries: readonly LobbyEntry[]) => void) | undefined
}

const mostPeers = 500

/** This page as a peer, and everyone it knows of. */
export class Company {
  readonly ownKey: Uint8Array
  readonly ownName: string
  /** Where this page can be dialed; empty while it can not. */
  readonly address = signal('')
  /** What everyone hears. */
  readonly room = new Conversation()
  readonly firewall = new Firewall()
  readonly #ms: MultiServer
  readonly #reach: Scope
  readonly #peers = signal<ReadonlyMap<string, Peer>>(new Map())

  /** @param hubUrl `ws://…` or `wss://…` */
  constructor(keys: Keys, hubUrl: string) {
    this.ownKey = keys.publicKey
    this.ownName = petName(keys.publicKey)
    this.#reach = reachOfHub(hubUrl)
    // It begins on the hub's relay at once, and moves to a direct path when one opens.
    const webRtc = rtc({ hub: hubUrl, relay: 'first', wrtc: this.firewall.webRtc })
    this.#ms = MultiServer([
      [webRtc, shs2({ keys })],
      [webRtc, shs({ keys })],
      // Through a bridge, which proves its key with shs2, to a program that knows nothing newer than shs.
      [webRtc, shs2({ keys }), tunnel(), shs({ keys })],
      [ws(), shs2({ keys })],
      [ws(), shs({ keys })],
    ])
  }

  get peers(): Peers {
    return this.#peers
  }

  /** Whether the hub knows this page now. */
  get isReachable(): boolean {
    return this.#ms.status().stacks.some(({ state }) => state === 'listening')
  }

  /** Resolves once the hub knows this page. @throws LISTEN_FAILED: then it only dials */
  async listen(onError: (error: MultiserverError) => void): Promise<void> {
    const accept = (connection: Connection) => void this.#talk(connection).catch(() => undefined)
    await this.#ms.server(accept, onError).listening
    this.address.value = this.#ms.stringify()
  }

  /** Connects and waits until the peer has said who it is. @throws a MultiserverError */
  async dial(address: string, options: DialPeerOptions = {}): Promise<Peer> {
    const { signal: stop, onStage, reach, onRoster } = options
    const key = announcedKey(address)
    if (key !== null && equalBytes(key, this.ownKey)) {
      throw new MultiserverError('ADDRESS_INVALID', 'this is your own address: give it to somebody else')
    }
    const onProgress = ({ stage }: { stage: DialStage }) => onStage?.(stage)
    const connection = await this.#ms.client(address, { signal: stop, minStrength: 1, reach, onProgress })
    return this.#talk(connection, onRoster)
  }

  /** Dials a known peer, once at a time, and keeps what came of it in `peer.dial`. Never rejects. */
  async connect(peer: Peer): Promise<boolean> {
    if (peer.dial.value.state === 'dialing') return false
    let stages: readonly DialStage[] = []
    peer.dial.value = { state: 'dialing', stages }
    try {
      await this.dial(peer.about.value.address, {
        // Others say where they are: they must not have this page knock at doors nearer than their hub.
        reach: this.#reach,
        onStage: (stage) => (peer.dial.value = { state: 'dialing', stages: (stages = [...stages, stage]) }),
      })
      peer.dial.value = { state: 'idle' }
      return true
    } catch (thrown) {
      peer.dial.value = { state: 'failed', error: toError(thrown, 'DIAL_FAILED') }
      return false
    }
  }

  /** Dials a peer anew and then ends what was dialed before: for when there is a better way. */
  async renew(peer: Peer): Promise<boolean> {
    const before = peer.talks.value.filter(
      ({ over, talk }) => over === 'rtc' && talk.connection.role === 'client',
    )
    const isConnected = await this.connect(peer)
    if (isConnected) for (const { talk } of before) void talk.close()
    return isConnected
  }

  say(peer: Peer, text: string): void {
    const { best, conversation } = peer
    if (best === undefined) return
    best.talk.say(text).catch(() => undefined)
    conversation.add({ kind: 'text', text, from: 'me', over: overWords(best) })
  }

  sendFile(peer: Peer, source: FileSource): FileOnItsWay | undefined {
    const { best, conversation } = peer
    if (best === undefined) return undefined
    const file = new FileOnItsWay(best.talk.sendFile(source))
    conversation.add({ kind: 'file', file, from: 'me', over: overWords(best) })
    return file
  }

  /** Those whom this page has met and is connected to stay, in the lobby or not. */
  setRoster(entries: readonly LobbyEntry[]): void {
    batch(() => {
      const there = new Set<string>()
      for (const entry of entries) {
        const announced = announcedKey(entry.address)
        if (announced === null || equalBytes(announced, this.ownKey)) continue
        const key = toBase64(announced)
        there.add(key)
        this.#update(key, { ...entry, isListed: true })
      }
      for (const peer of this.#peers.value.values()) {
        if (peer.about.value.isListed && !there.has(peer.key)) {
          this.#update(peer.key, { isListed: false, links: [] })
        }
      }
    })
  }

  /** Once a second. */
  sample(): void {
    batch(() => {
      for (const { talks } of this.#peers.value.values()) for (const talk of talks.value) talk.sample()
    })
  }

  /** At once, so that the others need not find out: the page is about to go. */
  leave(): void {
    for (const { talks } of this.#peers.value.values()) {
      for (const { talk } of talks.value) talk.connection.abort()
    }
  }

  /** Resolves at the hello; rejects when the talk was over before. */
  #talk(connection: Connection, onRoster?: DialPeerOptions['onRoster']): Promise<Peer> {
    const key = toBase64(connection.remote ?? new Uint8Array())
    const me: Hello = { type: 'hello', kind: 'browser', name: this.ownName, address: this.address.value }
    return new Promise((resolve, reject) => {
      let met: { peer: Peer; live: LiveTalk } | undefined
      const talk: Talk = new Talk(connection, me, {
        onHello: ({ kind, name, address }) => {
          const peer = this.#update(key, { kind, name, ...(address === '' ? {} : { address }) })
          met = { peer, live: this.#meet(peer, talk) }
          resolve(peer)
        },
        onChat: (text, inRoom) => met && this.#hear(met.peer, met.live, text, inRoom),
        onRoster: (entries) => onRoster?.(entries),
        onState: (address) => address !== '' && this.#update(key, { address }),
        onOffer: (offered) => {
          if (met === undefined) return
          const { peer, live } = met
          const conversation = offered.room ? this.room : peer.conversation
          const file = new FileOnItsWay(offered)
          conversation.add({ kind: 'file', file, from: peer.about.value.name, over: overWords(live) })
        },
        onEnd: (error) => {
          reject(error ?? new MultiserverError('CLOSED', 'the peer ended the connection at once'))
          if (met === undefined) return
          const { peer, live } = met
          peer.talks.value = peer.talks.value.filter((each) => each !== live)
          peer.conversation.note(`The connection over ${live.over} ended.`)
        },
      })
    })
  }

  #meet(peer: Peer, talk: Talk): LiveTalk {
    const live = new LiveTalk(talk)
    const { connection } = talk
    connection.on('path', (path) => {
      const before = live.path.value
      live.path.value = path
      if (before !== path) peer.conversation.note(`Now ${overWords(live)}.`)
    })
    const meeting = connection.role === 'client' ? 'You reached' : 'You were reached by'
    peer.talks.value = [...peer.talks.value, live]
    peer.conversation.note(`${meeting} ${peer.about.value.name} over ${live.over}.`)
    return live
  }

  #hear(peer: Peer, live: LiveTalk, text: string, inRoom: boolean): void {
    const conversation = inRoom ? this.room : peer.conversation
    conversation.add({ kind: 'text', text, from: peer.about.value.name, over: overWords(live) })
  }

  #update(key: string, changes: Partial<About>): Peer {
    const existing = this.#peers.value.get(key)
    if (existing !== undefined) {
      const before = existing.about.value
      const after = { ...before, ...changes }
      // Told once a second, and mostly the same.
      if (JSON.stringify(after) !== JSON.stringify(before)) existing.about.value = after
      return existing
    }
    const unknown: About = { kind: 'browser', name: '', address: '', links: [], isListed: false }
    const peer = new Peer(key, { ...unknown, ...changes })
    this.#peers.value = new Map([...this.#kept(), [key, peer]])
    return peer
  }

  /** Everyone, or those who are there when there are too many. */
  #kept(): [string, Peer][] {
    const all = [...this.#peers.value]
    return all.length < mostPeers ? all : all.filter(([, peer]) => peer.isThere)
  }
}
