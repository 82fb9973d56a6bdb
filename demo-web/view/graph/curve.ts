import type { NetworkEdge } from '../../model/network.ts'
import type { Place } from './layout.ts'

/** How an edge is drawn. */
export interface Curve {
  readonly from: Place
  /** Of a quadratic Bézier curve the control point, of a line with a corner the corner. */
  readonly control: Place
  readonly to: Place
  /** Whether it goes through the hub or a bridge, and has its corner there. */
  readonly hasCorner: boolean
}

/** Undefined while one of its ends has no place. */
export function curveOf(edge: NetworkEdge, places: ReadonlyMap<string, Place>): Curve | undefined {
  const [from, to, via] = [edge.from, edge.to, edge.via ?? ''].map((id) => places.get(id))
  if (from === undefined || to === undefined) return undefined
  return { from, control: via ?? bend(from, to, edge), to, hasCorner: via !== undefined }
}

/** For an SVG path. */
export function pathOf({ from, control, to, hasCorner }: Curve): string {
  return hasCorner ? `M${at(from)}L${at(control)}L${at(to)}` : `M${at(from)}Q${at(control)} ${at(to)}`
}

/** @param share of the way: 0 at its beginning, 1 at its end, 0.5 in its corner */
export function pointOn({ from, control, to, hasCorner }: Curve, share: number): Place {
  if (hasCorner) return share < 0.5 ? between(from, control, 2 * share) : between(control, to, 2 * share - 1)
  return between(between(from, control, share), between(control, to, share), share)
}

function between(a: Place, b: Place, share: number): Place {
  return { x: a.x + share * (b.x - a.x), y: a.y + share * (b.y - a.y) }
}

/** To one side or the other when there are several between the same two. */
function bend(a: Place, b: Place, { place, siblings, from, to }: NetworkEdge): Place {
  const side = 2 * (place - (siblings - 1) / 2) * spread * (from < to ? 1 : -1)
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const middle = between(a, b, 0.5)
  return { x: middle.x - (side * (b.y - a.y)) / length, y: middle.y + (side * (b.x - a.x)) / length }
}

function at({ x, y }: Place): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`
}

/** Pixels between the middles of two of them. */
const spread = 34
