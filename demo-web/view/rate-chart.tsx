import { formatBytes } from '../../cli/demo/text.ts'

/** Bytes a second of the last minute as an area; its label says the numbers that matter. */
export function RateChart({ rates, most }: { rates: readonly number[]; most: number }) {
  const top = Math.max(...rates, least)
  const points = rates.map((rate, index) => {
    const x = most - rates.length + index
    return `${x} ${(height * (1 - rate / top)).toFixed(2)}`
  })
  const start = most - rates.length
  const line = points.length === 0 ? '' : `M${points.join('L')}`
  const label = `Throughput of the last minute: at most ${formatBytes(Math.max(...rates, 0))} a second, now ${formatBytes(rates.at(-1) ?? 0)} a second`
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${most - 1} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {line !== '' && <path class="chart-area" d={`${line}L${most - 1} ${height}L${start} ${height}Z`} />}
        {line !== '' && <path class="chart-line" d={line} vector-effect="non-scaling-stroke" />}
      </svg>
      <figcaption aria-hidden="true">
        <span>a minute ago</span>
        <span>top: {formatBytes(top)}/s</span>
      </figcaption>
    </figure>
  )
}

const height = 20

/** Below it a line of chat would fill the chart. */
const least = 4_096
