import { signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { Conversation } from './conversation.ts'
import type { LiveTalk } from './live-talk.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { DialStage } from '../../core/types.ts'
import type { LobbyEntry } from '../../cli/demo/protocol.ts'

/** What somebody says of itself; only the key is proven, and only by a connection. */
export interface About extends LobbyEntry {
  /** Whether it is in the lobby now. */
  readonly isListed: boolean
}

/** How the dial of a peer stands. */
export type Dial =
  | { readonly state: 'idle' }
  | { readonly state: 'dialing'; readonly stages: readonly DialStage[] }
  | { readonly state: 'failed'; readonly error: MultiserverError }

/** Somebody with a key: in the lobby, or connected, or both, or gone. */
export class Peer {
  /** Base64. */
  readonly key: string
  readonly about: Signal<About>
  /** Open connections, oldest first. */
  readonly talks = signal<readonly LiveTalk[]>([])
  readonly dial = signal<Dial>({ state: 'idle' })
  readonly conversation = new Conversation()

  constructor(key: string, about: About) {
    this.key = key
    this.about = signal(about)
  }

  /** The way to it that is open now: what was dialed last, for that is the strongest; WebRTC before the lobby's socket. */
  get best(): LiveTalk | undefined {
    const newestFirst = this.talks.value.toReversed()
    return newestFirst.find(({ over }) => over === 'rtc') ?? newestFirst[0]
  }

  get isThere(): boolean {
    return this.about.value.isListed || this.talks.value.length > 0
  }
}

export type Peers = ReadonlySignal<ReadonlyMap<string, Peer>>
