import type { Measure } from './node-label.ts'

/** Measures text as the drawing writes it. @param font as in CSS, without the family */
export function measureText(font: string): Measure {
  const context = document.createElement('canvas').getContext('2d')
  const family = getComputedStyle(document.body).fontFamily
  const known = new Map<string, number>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    if (context !== null) context.font = `${font} ${family}`
    const width = context?.measureText(text).width ?? text.length * wideCharacter
    if (known.size > mostKnown) known.clear()
    known.set(text, width)
    return width
  }
}

/** Pixels, where nothing can be measured. */
const wideCharacter = 9
const mostKnown = 1_000
