/** A rectangle in the drawing, in its pixels. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** Something with a room of its own, which is `halfWidth` to both sides, `above` and `below` of its place. */
export interface Roomy {
  readonly halfWidth: number
  readonly above: number
  readonly below: number
  /** Stays where it is; others make room. */
  readonly isFixed: boolean
  x: number
  y: number
}

export function roomOf({ x, y, halfWidth, above, below }: Roomy): Box {
  return { left: x - halfWidth, top: y - above, right: x + halfWidth, bottom: y + below }
}

export function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

/**
 * Moves who stands on another aside, by the shorter way, and everyone into the picture.
 *
 * @param mostSweeps over all pairs: a full picture needs more than one
 * @returns whether nobody stands on another now
 */
export function separate(all: readonly Roomy[], { width, height }: Size, mostSweeps: number): boolean {
  for (const each of all) keepInside(each, width, height)
  for (let sweep = 0; sweep < mostSweeps; sweep++) {
    let isMoved = false
    for (const [index, a] of all.entries()) {
      for (let other = index + 1; other < all.length; other++) {
        const b = all[other]
        if (b === undefined || !pushApart(a, b, width, height)) continue
        keepInside(a, width, height)
        keepInside(b, width, height)
        isMoved = true
      }
    }
    if (!isMoved) return true
  }
  return false
}

/** @returns whether they stood on each other */
function pushApart(a: Roomy, b: Roomy, width: number, height: number): boolean {
  const sideways = a.halfWidth + b.halfWidth - Math.abs(a.x - b.x)
  const upright = a.y < b.y ? a.y + a.below - (b.y - b.above) : b.y + b.below - (a.y - a.above)
  if (sideways <= 0 || upright <= 0) return false
  const isSideways = sideways / width < upright / height
  const axis = isSideways ? 'x' : 'y'
  const way = ((isSideways ? sideways : upright) + gap) * (a[axis] < b[axis] ? -1 : 1)
  // Half of the way each, or one the whole way off a fixed one.
  if (!a.isFixed) a[axis] += b.isFixed ? way : way / 2
  if (!b.isFixed) b[axis] -= a.isFixed ? way : way / 2
  return true
}

function keepInside(each: Roomy, width: number, height: number): void {
  if (each.isFixed) return
  each.x = clamp(each.x, each.halfWidth, width - each.halfWidth)
  each.y = clamp(each.y, each.above, height - each.below)
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(most, least))
}

/** So that what has been moved aside is, whatever is lost in arithmetic. */
const gap = 0.5
