import { wayWords } from '../../model/way-words.ts'
import { overlap, type Box } from './boxes.ts'
import { pointOn, type Curve } from './curve.ts'
import type { NetworkEdge } from '../../model/network.ts'
import type { Place } from './layout.ts'
import type { Measure } from './node-label.ts'

export interface DrawnEdge {
  readonly edge: NetworkEdge
  readonly curve: Curve
}

/** An edge's words in the drawing, and their middle. */
export interface EdgeLabel extends Place {
  readonly text: string
}

/**
 * Words for the edges, by their ids: each way is told of once, by the first of its edges on which there is room for words
 * that cover nothing. The others have its colour, and the table has all.
 */
export function placeLabels(
  edges: readonly DrawnEdge[],
  taken: readonly Box[],
  measure: Measure,
): ReadonlyMap<string, EdgeLabel> {
  const boxes = [...taken]
  const labels = new Map<string, EdgeLabel>()
  const told = new Set<string>()
  for (const { edge, curve } of edges) {
    const text = wayWords(edge.over, edge.path).replace(/^(over|through a) /, '')
    if (told.has(text)) continue
    const halfWidth = measure(text) / 2 + besides
    for (const share of curve.hasCorner ? onFirstHalf : onWhole) {
      const { x, y } = pointOn(curve, share)
      const box = { left: x - halfWidth, top: y - halfHeight, right: x + halfWidth, bottom: y + halfHeight }
      if (boxes.some((other) => overlap(box, other))) continue
      boxes.push(box)
      told.add(text)
      labels.set(edge.id, { text, x, y })
      break
    }
  }
  return labels
}

/** Shares of the way, the best first. */
const onWhole = [0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68]
const onFirstHalf = [0.25, 0.3, 0.2, 0.35, 0.15]
const besides = 3
const halfHeight = 8
