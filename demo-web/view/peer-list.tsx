import type { PageModel } from '../model/page-model.ts'
import type { Peer } from '../model/peer.ts'
import { Icon } from './icons.tsx'
import { aboutWords } from './kind-words.ts'

/** Who is there, and the room of all: also the way to them by keyboard. */
export function PeerList({ model }: { model: PageModel }) {
  const peers = model.present.value
  const { room } = model.company
  return (
    <section class="card card-list" aria-labelledby="peers-title">
      <h2 id="peers-title">Who is there</h2>
      <ul class="peers">
        <li>
          <button
            type="button"
            class="peer"
            aria-current={model.chosen.value === undefined}
            onClick={() => model.choose(undefined)}
          >
            <span class="face face-room">
              <Icon name="room" />
            </span>
            <span class="peer-words">
              <strong>Room</strong>
              <span class="quiet">everyone you reach</span>
            </span>
            {room.unread.value > 0 && <span class="pill pill-full">{room.unread.value} new</span>}
          </button>
        </li>
        {peers.map((peer) => (
          <PeerRow key={peer.key} model={model} peer={peer} />
        ))}
      </ul>
      {peers.length === 0 && <p class="note">Nobody yet. Open this page in a second tab to meet yourself.</p>}
    </section>
  )
}

function PeerRow({ model, peer }: { model: PageModel; peer: Peer }) {
  const { kind, name } = peer.about.value
  const unread = peer.conversation.unread.value
  return (
    <li>
      <button
        type="button"
        class="peer"
        aria-current={model.chosen.value === peer}
        onClick={() => model.choosePeer(peer)}
      >
        <span class={`face face-${kind}`}>
          <Icon name={kind} />
        </span>
        <span class="peer-words">
          <strong title={name}>{name}</strong>{' '}
          <span class="quiet">{aboutWords({ kind, name, key: peer.key })}</span>
        </span>{' '}
        <span class={unread > 0 ? 'pill pill-full' : 'pill'}>{pillWords(peer)}</span>
      </button>
    </li>
  )
}

function pillWords({ conversation, talks, dial, about }: Peer): string {
  if (conversation.unread.value > 0) return `${conversation.unread.value} new`
  if (talks.value.length > 0) return 'connected'
  if (dial.value.state === 'dialing') return 'dialing…'
  return about.value.isListed ? 'connect' : 'gone'
}
