import { wayWords } from '../../model/way-words.ts'
import type { NetworkEdge } from '../../model/network.ts'
import type { Place } from './layout.ts'
import { wayOf } from './way.ts'

export interface GraphEdgeProps {
  readonly edge: NetworkEdge
  readonly places: ReadonlyMap<string, Place>
  readonly isLabelled: boolean
}

/** A connection in the drawing, by the way that its bytes go. Dots run along it while some do. */
export function GraphEdge({ edge, places, isLabelled }: GraphEdgeProps) {
  const { from, to, via, over, path, isMine, bytesPerSecond } = edge
  const [a, b] = [places.get(from), places.get(to)]
  if (a === undefined || b === undefined) return null
  const middle = via === undefined ? bend(a, b, edge) : (places.get(via) ?? bend(a, b, edge))
  // A quadratic curve that passes through the middle: the hub, or the bridge.
  const control = { x: 2 * middle.x - (a.x + b.x) / 2, y: 2 * middle.y - (a.y + b.y) / 2 }
  const d = `M${at(a)}Q${at(control)} ${at(b)}`
  const label = via === undefined ? middle : { x: (a.x + middle.x) / 2, y: (a.y + middle.y) / 2 }
  const speed = bytesPerSecond < slowBytes ? 'still' : bytesPerSecond < fastBytes ? 'slow' : 'fast'
  return (
    <g class={isMine ? 'edge edge-mine' : 'edge'} data-way={wayOf(over, path)} data-speed={speed}>
      <path class="edge-line" d={d} />
      <path class="edge-flow" d={d} />
      {isLabelled && (
        <text x={label.x.toFixed(1)} y={label.y.toFixed(1)}>
          {wayWords(over, path).replace(/^(over|through a) /, '')}
        </text>
      )}
    </g>
  )
}

/** To one side or the other when there are several between the same two. */
function bend(a: Place, b: Place, { place, siblings, from, to }: NetworkEdge): Place {
  const side = (place - (siblings - 1) / 2) * spread * (from < to ? 1 : -1)
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
  return { x: middle.x - (side * (b.y - a.y)) / length, y: middle.y + (side * (b.x - a.x)) / length }
}

function at({ x, y }: Place): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`
}

const spread = 34
/** A second: more than it takes to keep a connection and the lobby going. */
const slowBytes = 1024
/** A second: a file, and not somebody who types. */
const fastBytes = 64 * 1024
