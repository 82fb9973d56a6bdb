import { computed, signal, type ReadonlySignal } from '@preact/signals'
import { toBase64 } from '../../core/bytes.ts'
import { Company } from './company.ts'
import { createExperiments, type Experiments } from './experiments.ts'
import { Lobby } from './lobby.ts'
import { drawNetwork, introducerOf, type Network } from './network.ts'
import { DialForm } from './dial-form.ts'
import { describeError } from '../../cli/demo/words.ts'
import type { Conversation } from './conversation.ts'
import type { OwnKey } from './own-key.ts'
import type { Peer } from './peer.ts'

/** What a phone shows, one at a time. */
export type Tab = 'network' | 'talk' | 'try' | 'you'

/** Everything that the page knows; the view shows it and calls its methods. */
export class PageModel {
  readonly ownKey: OwnKey
  readonly company: Company
  readonly lobby: Lobby
  readonly experiments: Experiments
  readonly dialForm: DialForm
  readonly tab = signal<Tab>('network')
  /** Whom the inspector and the conversation are about; undefined: the room. */
  readonly chosen = signal<Peer | undefined>(undefined)
  /** Why nobody can dial this page, in words; empty when they can. */
  readonly unreachable = signal('')
  readonly network: ReadonlySignal<Network>
  /** Those to show, in the order in which they came. */
  readonly present: ReadonlySignal<readonly Peer[]>

  constructor(ownKey: OwnKey, hubUrl: string) {
    this.ownKey = ownKey
    this.company = new Company(ownKey.keys, hubUrl)
    this.lobby = new Lobby(this.company)
    this.experiments = createExperiments(this.company)
    this.dialForm = new DialForm(this.company, (peer) => this.choose(peer))
    this.present = computed(() =>
      [...this.company.peers.value.values()].filter((peer) => peer.isThere || peer === this.chosen.value),
    )
    this.network = computed(() => this.#draw())
  }

  get conversation(): Conversation {
    return this.chosen.value?.conversation ?? this.company.room
  }

  /** Begins: never rejects, and shows what does not work. */
  async start(): Promise<void> {
    this.see()
    setInterval(() => this.#tick(), 1_000)
    try {
      await this.company.listen((error) => this.lobby.lose(error))
    } catch (thrown) {
      const why = describeError(thrown).summary
      this.unreachable.value = `${why} Nobody can dial this page, but it can dial others over WebSocket.`
    }
    void this.lobby.stay()
  }

  /** Opens the conversation with a peer, or the room. */
  choose(peer: Peer | undefined): void {
    this.conversation.isInSight = false
    this.chosen.value = peer
    this.tab.value = 'talk'
    this.see()
  }

  /** The same, and connects to it when it is not. */
  choosePeer(peer: Peer): void {
    this.choose(peer)
    if (peer.talks.value.length === 0 && peer.about.value.address !== '') void this.company.connect(peer)
  }

  show(tab: Tab): void {
    this.tab.value = tab
    this.see()
  }

  /** What is open is read. */
  see(): void {
    const { conversation } = this
    conversation.isInSight = !isNarrow() || this.tab.value === 'talk'
    if (conversation.isInSight) conversation.unread.value = 0
  }

  #tick(): void {
    this.company.sample()
    this.lobby.show()
  }

  #draw(): Network {
    const { ownName, ownKey } = this.company
    const behind = introducerOf(this.company.address.value)
    const me = { id: toBase64(ownKey), kind: 'browser', name: ownName, isMe: true, behind } as const
    const peers = this.present.value.map((peer) => {
      const { kind, name, address, links } = peer.about.value
      const ownLinks = peer.talks.value.map((talk) => {
        const { to, over, strength, bytesPerSecond } = talk.link
        const path = talk.path.value
        // Read, so that the picture moves with the traffic.
        void talk.rates.value
        return { to, over, strength, bytesPerSecond, ...(path === undefined ? {} : { path }) }
      })
      return { key: peer.key, kind, name, address, links, ownLinks }
    })
    return drawNetwork(me, peers)
  }
}

/** Whether the page shows one thing at a time, as the style sheet has it. */
export function isNarrow(): boolean {
  return matchMedia('(max-width: 760px)').matches
}
