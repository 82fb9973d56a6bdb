import type { PageModel, Tab } from '../model/page-model.ts'
import { DialCard } from './dial-card.tsx'
import { NetworkCard } from './network-card.tsx'
import { PeerList } from './peer-list.tsx'
import { TalkPane } from './talk-pane.tsx'
import { TryCard } from './try-card.tsx'
import { YouCard } from './you-card.tsx'

/** The page: who you are, the network, what is said, and things to try. A phone shows one of them at a time. */
export function App({ model }: { model: PageModel }) {
  return (
    <>
      <a class="skip" href="#talk" onClick={() => model.show('talk')}>
        Skip to the conversation
      </a>
      <Header model={model} />
      <main class="layout" data-tab={model.tab.value}>
        <div class="column column-network">
          <NetworkCard model={model} />
          <TryCard model={model} />
        </div>
        <TalkPane model={model} />
        <div class="column column-side">
          <PeerList model={model} />
          <DialCard form={model.dialForm} />
          <YouCard model={model} />
        </div>
      </main>
      <Tabs model={model} />
    </>
  )
}

function Header({ model }: { model: PageModel }) {
  const { state, words } = model.lobby.presence.value
  return (
    <header class="top">
      <h1>
        <span class="logo" aria-hidden="true" />
        multiserver
      </h1>
      <p class="claim">
        Peers that cannot reach each other, talking: one interface over many transports, and every key proven.
      </p>
      <p class="status" role="status" data-state={state}>
        {words}
      </p>
    </header>
  )
}

const tabs: readonly (readonly [Tab, string])[] = [
  ['network', 'Network'],
  ['talk', 'Talk'],
  ['try', 'Try'],
  ['you', 'You'],
]

/** For a phone; a wide screen shows everything. */
function Tabs({ model }: { model: PageModel }) {
  const unread = model.present.value.reduce(
    (sum, { conversation }) => sum + conversation.unread.value,
    model.company.room.unread.value,
  )
  return (
    <nav class="tabs" aria-label="Parts of the page">
      {tabs.map(([tab, words]) => (
        <button
          key={tab}
          type="button"
          aria-current={model.tab.value === tab ? 'page' : undefined}
          onClick={() => model.show(tab)}
        >
          {words}
          {tab === 'talk' && unread > 0 && <span class="badge">{unread}</span>}
        </button>
      ))}
    </nav>
  )
}
