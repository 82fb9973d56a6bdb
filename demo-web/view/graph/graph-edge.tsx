import { pathOf } from './curve.ts'
import type { DrawnEdge, EdgeLabel } from './edge-labels.ts'
import { wayOf } from './way.ts'

export interface GraphEdgeProps extends DrawnEdge {
  readonly label: EdgeLabel | undefined
}

/** A connection in the drawing, by the way that its bytes go. Dots run along it while some do. */
export function GraphEdge({ edge, curve, label }: GraphEdgeProps) {
  const { over, path, isMine, bytesPerSecond } = edge
  const d = pathOf(curve)
  const speed = bytesPerSecond < slowBytes ? 'still' : bytesPerSecond < fastBytes ? 'slow' : 'fast'
  return (
    <g class={isMine ? 'edge edge-mine' : 'edge'} data-way={wayOf(over, path)} data-speed={speed}>
      <path class="edge-line" d={d} />
      <path class="edge-flow" d={d} />
      {label !== undefined && (
        <text x={label.x.toFixed(1)} y={label.y.toFixed(1)}>
          {label.text}
        </text>
      )}
    </g>
  )
}

/** A second: more than it takes to keep a connection and the lobby going. */
const slowBytes = 1024
/** A second: a file, and not somebody who types. */
const fastBytes = 64 * 1024
