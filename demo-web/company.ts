import { equalBytes, toBase64 } from '../core/bytes.ts'
import { MultiserverError } from '../core/errors.ts'
import { MultiServer } from '../core/multiserver.ts'
import { petName } from '../cli/demo/pet-name.ts'
import { announcedKey, type Hello, type PeerKind, type RosterEntry } from '../cli/demo/protocol.ts'
import { Talk } from '../cli/demo/talk.ts'
import { transportName } from '../cli/demo/words.ts'
import { rtc } from '../plugs/rtc/index.ts'
import { shs } from '../plugs/shs/index.ts'
import { ws } from '../plugs/ws.browser.ts'
import { ReceivedFile } from './received-file.ts'
import type { Connection } from '../core/connection.ts'
import type { FileSource } from '../cli/demo/outgoing-file.ts'
import type { Transfer } from '../cli/demo/transfer.ts'
import type { DialStage } from '../core/types.ts'
import type { Keys } from '../plugs/keys.browser.ts'

/** Somebody with a key: in the lobby, or connected, or both, or gone. */
export interface Peer {
  /** Base64. */
  readonly key: string
  kind: PeerKind
  name: string
  /** Empty when it is not known. */
  address: string
  isInLobby: boolean
  /** Open connections, oldest first. */
  readonly talks: Talk[]
  readonly log: LogEntry[]
  unread: number
}

export type LogEntry =
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'mine' | 'theirs'; readonly text: string; readonly over: string; readonly at: Date }
  | { readonly kind: 'file'; readonly transfer: Transfer; readonly received?: ReceivedFile | undefined }

export interface CompanyEvents {
  /** Something about a peer other than its log. */
  onPeer(peer: Peer): void
  onEntry(peer: Peer, entry: LogEntry): void
  /** Of the listening side, such as a hub that was lost. */
  onListenError(error: MultiserverError): void
  /** Somebody dialed this page, so the hub knows it. */
  onReached(): void
}

export interface DialPeerOptions {
  readonly signal?: AbortSignal | undefined
  readonly onStage?: ((stage: DialStage) => void) | undefined
  /** For the lobby, which alone says who is there. */
  readonly onRoster?: ((entries: readonly RosterEntry[]) => void) | undefined
}

/** Beyond it the oldest entries of a conversation go. */
const mostEntries = 500
const mostPeers = 500

/** This page as a peer, and everyone it knows of. */
export class Company {
  readonly peers = new Map<string, Peer>()
  readonly ownName: string
  readonly ownKey: Uint8Array
  /** Where this page can be dialed; empty while it can not. */
  address = ''
  readonly #ms: MultiServer
  readonly #events: CompanyEvents

  /** @param hubUrl `ws://…` or `wss://…` */
  constructor(keys: Keys, hubUrl: string, events: CompanyEvents) {
    this.#events = events
    this.ownKey = keys.publicKey
    this.ownName = petName(keys.publicKey)
    const secret = shs({ keys })
    this.#ms = MultiServer([
      [rtc({ hub: hubUrl }), secret],
      [ws(), secret],
    ])
  }

  /** Resolves once the hub knows this page. @throws LISTEN_FAILED: then it only dials */
  async listen(): Promise<void> {
    const server = this.#ms.server(
      (connection) => {
        this.#events.onReached()
        void this.#talk(connection).catch(() => undefined)
      },
      (error) => this.#events.onListenError(error),
    )
    await server.listening
    this.address = this.#ms.stringify()
  }

  /** Connects and waits until the peer has said who it is. @throws a MultiserverError */
  async dial(address: string, { signal, onStage, onRoster }: DialPeerOptions = {}): Promise<Talk> {
    const key = announcedKey(address)
    if (key !== null && equalBytes(key, this.ownKey)) {
      throw new MultiserverError('ADDRESS_INVALID', 'this is your own address: give it to somebody else')
    }
    const onProgress = ({ stage }: { stage: DialStage }) => onStage?.(stage)
    const connection = await this.#ms.client(address, { signal, minStrength: 1, onProgress })
    return this.#talk(connection, onRoster)
  }

  /** The way to a peer that is open now; WebRTC before the lobby's WebSocket. */
  talkWith(peer: Peer): Talk | undefined {
    return peer.talks.find(({ connection }) => transportName(connection) === 'rtc') ?? peer.talks[0]
  }

  say(peer: Peer, text: string): void {
    const talk = this.talkWith(peer)
    if (talk === undefined) return
    talk.say(text).catch(() => undefined)
    this.#add(peer, { kind: 'mine', text, over: transportName(talk.connection), at: new Date() })
  }

  sendFile(peer: Peer, source: FileSource): void {
    const talk = this.talkWith(peer)
    if (talk !== undefined) this.#add(peer, { kind: 'file', transfer: talk.sendFile(source) })
  }

  /** Those whom this page has met and is connected to stay, in the lobby or not. */
  setRoster(entries: readonly RosterEntry[]): void {
    const there = new Set<string>()
    for (const { kind, name, address } of entries) {
      const announced = announcedKey(address)
      if (announced === null || equalBytes(announced, this.ownKey)) continue
      const key = toBase64(announced)
      there.add(key)
      this.#update(key, { kind, name, address, isInLobby: true })
    }
    for (const peer of this.peers.values()) {
      if (peer.isInLobby && !there.has(peer.key)) this.#update(peer.key, { isInLobby: false })
    }
  }

  /** At once, so that the others need not find out: the page is about to go. */
  leave(): void {
    for (const { talks } of this.peers.values()) for (const { connection } of talks) connection.abort()
  }

  /** Resolves at the hello; rejects when the talk was over before. */
  #talk(connection: Connection, onRoster?: DialPeerOptions['onRoster']): Promise<Talk> {
    const key = toBase64(connection.remote ?? new Uint8Array())
    const over = transportName(connection)
    const me: Hello = { type: 'hello', kind: 'browser', name: this.ownName, address: this.address }
    return new Promise((resolve, reject) => {
      let peer: Peer | undefined
      const talk: Talk = new Talk(connection, me, {
        onHello: ({ kind, name, address }) => {
          peer = this.#update(key, { kind, name, ...(address === '' ? {} : { address }) })
          peer.talks.push(talk)
          connection.on('path', () => peer && this.#events.onPeer(peer))
          const meeting = connection.role === 'client' ? 'You reached' : 'You were reached by'
          this.#add(peer, { kind: 'note', text: `${meeting} ${name} over ${over}.` })
          this.#events.onPeer(peer)
          resolve(talk)
        },
        onChat: (text) => peer && this.#add(peer, { kind: 'theirs', text, over, at: new Date() }),
        onRoster: (entries) => onRoster?.(entries),
        onOffer: (transfer) =>
          peer && this.#add(peer, { kind: 'file', transfer, received: new ReceivedFile(transfer) }),
        onEnd: (error) => {
          reject(error ?? new MultiserverError('CLOSED', 'the peer ended the connection at once'))
          if (peer === undefined) return
          peer.talks.splice(peer.talks.indexOf(talk), 1)
          this.#add(peer, { kind: 'note', text: `The connection over ${over} ended.` })
          this.#events.onPeer(peer)
        },
      })
    })
  }

  #update(key: string, changes: Partial<Peer>): Peer {
    const existing = this.peers.get(key)
    const peer: Peer = existing ?? {
      key,
      kind: 'browser',
      name: '',
      address: '',
      isInLobby: false,
      talks: [],
      log: [],
      unread: 0,
    }
    Object.assign(peer, changes)
    if (existing === undefined) this.#makeRoom()
    this.peers.set(key, peer)
    this.#events.onPeer(peer)
    return peer
  }

  #makeRoom(): void {
    if (this.peers.size < mostPeers) return
    for (const { key, talks, isInLobby } of this.peers.values()) {
      if (talks.length === 0 && !isInLobby) this.peers.delete(key)
    }
  }

  #add(peer: Peer, entry: LogEntry): void {
    peer.log.push(entry)
    if (peer.log.length > mostEntries) {
      const [oldest] = peer.log.splice(0, 1)
      if (oldest?.kind === 'file') oldest.received?.discard()
    }
    this.#events.onEntry(peer, entry)
  }
}
