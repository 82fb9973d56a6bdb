import type { NetworkEdge } from '../../model/network.ts'
import type { Place } from './layout.ts'

/** An edge as a quadratic Bézier curve. */
export interface Curve {
  readonly from: Place
  readonly control: Place
  readonly to: Place
}

/** Undefined while one of its ends has no place. */
export function curveOf(edge: NetworkEdge, places: ReadonlyMap<string, Place>): Curve | undefined {
  const [from, to] = [places.get(edge.from), places.get(edge.to)]
  if (from === undefined || to === undefined) return undefined
  // Through the hub, or the bridge, where it goes through one.
  const middle = places.get(edge.via ?? '') ?? bend(from, to, edge)
  const control = { x: 2 * middle.x - (from.x + to.x) / 2, y: 2 * middle.y - (from.y + to.y) / 2 }
  return { from, control, to }
}

/** @param share of the way: 0 at its beginning, 1 at its end */
export function pointOn({ from, control, to }: Curve, share: number): Place {
  const rest = 1 - share
  const along = (axis: keyof Place) =>
    rest * rest * from[axis] + 2 * rest * share * control[axis] + share * share * to[axis]
  return { x: along('x'), y: along('y') }
}

/** To one side or the other when there are several between the same two. */
function bend(a: Place, b: Place, { place, siblings, from, to }: NetworkEdge): Place {
  const side = (place - (siblings - 1) / 2) * spread * (from < to ? 1 : -1)
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
  return { x: middle.x - (side * (b.y - a.y)) / length, y: middle.y + (side * (b.x - a.x)) / length }
}

const spread = 34
