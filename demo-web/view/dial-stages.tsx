import type { StageTimes } from '../../core/stage-times.ts'
import type { DialStage } from '../../core/types.ts'
import { stageNames, stageWords } from './stage-words.ts'

/** A dial under way: what has been reached, and what is waited for. */
export function DialStages({ stages }: { stages: readonly DialStage[] }) {
  // Not all of them come: one path is enough.
  const reached = Math.max(0, ...stages.map((stage) => allStages.indexOf(stage) + 1))
  return (
    <div class="dialing" role="status">
      {stageWords[stages.at(-1) ?? 'begun']}
      <progress aria-label="How far the dial is" max={allStages.length} value={reached} />
    </div>
  )
}

/** How long each stage of a dial took. Accepted connections have none. */
export function DialTimes({ stageMs }: { stageMs: StageTimes }) {
  const stages = allStages.flatMap((stage) => {
    const ms = stageMs[stage]
    return ms === undefined ? [] : [{ stage, ms }]
  })
  if (stages.length === 0) return null
  const total = stages.reduce((sum, { ms }) => sum + ms, 0)
  return (
    <details class="more">
      <summary>Dialed in {total.toFixed(0)} ms</summary>
      <ol class="stages">
        {stages.map(({ stage, ms }) => (
          <li key={stage}>
            <span>{stageNames[stage]}</span>
            <meter min={0} max={total} value={ms} aria-label={stageNames[stage]} />
            <span class="stage-ms">{ms.toFixed(ms < 10 ? 1 : 0)} ms</span>
          </li>
        ))}
      </ol>
    </details>
  )
}

const allStages: readonly DialStage[] = [
  'hub',
  'introduced',
  'answered',
  'relay',
  'ice',
  'dtls',
  'path',
  'transport',
  'secured',
]
