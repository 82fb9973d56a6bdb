import { formatBytes } from '../../cli/demo/text.ts'
import { describeConnection } from '../../cli/demo/words.ts'
import { mostSamples, type LiveTalk } from '../model/live-talk.ts'
import { DialTimes } from './dial-stages.tsx'
import { RateChart } from './rate-chart.tsx'

/** One connection: which way it goes, what is proven, how fast it is. */
export function ConnectionCard({ live }: { live: LiveTalk }) {
  const { talk, path, pathMs, roundTripMs, rates, stageMs, over } = live
  const opened = Object.entries(pathMs.value).map(
    ([stage, ms]) => `${pathStageNames[stage]} ${formatMs(ms)} ms`,
  )
  // Read for its changes; the words come from the connection itself.
  const way = path.value ?? over
  const words = describeConnection(talk.connection)
  return (
    <li class="connection" data-way={way}>
      <div class="connection-head">
        <strong>{words.transport}</strong>
        <span class={`strength strength-${words.protocol}`}>{words.protocol}</span>
        <button type="button" aria-label={`End ${words.transport}`} onClick={() => void talk.close()}>
          End
        </button>
      </div>
      <dl>
        <dt>Path</dt>
        <dd class="path">{words.path}</dd>
        <dt>Direction</dt>
        <dd>{words.direction}</dd>
        <dt>Protocol</dt>
        <dd>{protocolWords[words.protocol] ?? 'none'}</dd>
        <dt>Proven key</dt>
        <dd>
          <code>{words.proven}</code>
        </dd>
        <dt>Round trip</dt>
        <dd>{roundTripMs.value === undefined ? 'not measured yet' : `${formatMs(roundTripMs.value)} ms`}</dd>
        {opened.length > 0 && (
          <>
            <dt>Paths opened</dt>
            <dd>{opened.join(', ')}</dd>
          </>
        )}
        <dt>Throughput</dt>
        <dd>{`${formatBytes(live.rate)}/s`}</dd>
      </dl>
      <RateChart rates={rates.value} most={mostSamples} />
      <DialTimes stageMs={stageMs} />
    </li>
  )
}

const protocolWords: Readonly<Record<string, string>> = {
  shs: 'shs: secret-handshake, end to end',
  shs2: 'shs2: Noise with ML-KEM-768, end to end',
}

const pathStageNames: Readonly<Record<string, string>> = { relay: 'relay', ice: 'ICE', dtls: 'DTLS' }

function formatMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0)
}
