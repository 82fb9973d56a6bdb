import type { NetworkNode } from '../../model/network.ts'

/** What stands under a node, and how wide that is. */
export interface NodeLabel {
  readonly text: string
  /** Pixels. */
  readonly width: number
}

/** How wide a text is in the drawing, in pixels. */
export type Measure = (text: string) => number

/** As much of the name as has room; the list has it whole. */
export function nodeLabel({ name, isMe }: Pick<NetworkNode, 'name' | 'isMe'>, measure: Measure): NodeLabel {
  const whole = isMe ? 'you' : name
  const characters = Array.from(whole)
  let text = whole
  while (measure(text) > mostWidth && characters.length > 0) {
    characters.pop()
    text = `${characters.join('').trimEnd()}…`
  }
  return { text, width: measure(text) }
}

/** Pixels: a pet name always fits. */
const mostWidth = 136
