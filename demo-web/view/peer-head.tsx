import { isNarrow } from '../model/page-model.ts'
import type { Peer } from '../model/peer.ts'
import { ConnectionCard } from './connection-card.tsx'
import { DialStages } from './dial-stages.tsx'
import { ErrorBox } from './error-box.tsx'
import { Icon } from './icons.tsx'
import { aboutWords } from './kind-words.ts'

/** Who the chosen peer is and what is known of each connection to it. */
export function PeerHead({ peer, onConnect }: { peer: Peer; onConnect: () => void }) {
  const { kind, name, address, isListed } = peer.about.value
  const talks = peer.talks.value
  const dial = peer.dial.value
  return (
    <header class="talk-head">
      <div class="talk-title">
        <span class={`face face-${kind}`}>
          <Icon name={kind} />
        </span>
        <div>
          <h2 id="talk-title" title={name}>
            {name}
          </h2>
          <p class="quiet">
            {aboutWords({ kind, name, key: peer.key })}
            {isListed ? '' : ' · not in the lobby'}
          </p>
        </div>
        {address !== '' && dial.state !== 'dialing' && talks.length === 0 && (
          <button type="button" class="primary" onClick={onConnect}>
            Connect
          </button>
        )}
      </div>
      {dial.state === 'dialing' && <DialStages stages={dial.stages} />}
      <ErrorBox error={dial.state === 'failed' ? dial.error : undefined} />
      {talks.length > 0 && (
        <details class="facts" open={!isNarrow()}>
          <summary>{talks.length === 1 ? 'One connection' : `${talks.length} connections`}</summary>
          <ul class="connections" tabIndex={0} aria-label="Connections">
            {talks.map((live) => (
              <ConnectionCard key={live.id} live={live} />
            ))}
          </ul>
        </details>
      )}
      {address !== '' && (
        <details class="more">
          <summary>Its address</summary>
          <ul class="address">
            {address.split(';').map((alternative) => (
              <li key={alternative}>
                <code>{alternative}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </header>
  )
}
