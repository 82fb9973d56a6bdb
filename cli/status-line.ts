import { stripVTControlCharacters } from 'node:util'

const redrawMs = 1_000

/** Writes text, and says nothing of itself. */
interface Terminal {
  readonly columns: number
  write(text: string): unknown
}

/**
 * One line at the bottom of a terminal that is drawn again and again; what else is said goes above it. A terminal has one
 * such line, which is why `terminal.ts` keeps it.
 */
export class StatusLine {
  readonly #terminal: Terminal
  readonly #draw: () => string
  readonly #timer: ReturnType<typeof setInterval>

  /** `draw` gives the text, which may be in colour; what does not fit is cut off. */
  constructor(terminal: Terminal, draw: () => string) {
    this.#terminal = terminal
    this.#draw = draw
    this.#timer = setInterval(() => this.#write(''), redrawMs)
    this.#write('')
  }

  /** Above the line. */
  say(text: string): void {
    this.#write(`${text}\n`)
  }

  /** Takes the line away. */
  stop(): void {
    clearInterval(this.#timer)
    this.#terminal.write(clearLine)
  }

  #write(above: string): void {
    this.#terminal.write(`${clearLine}${above}${cut(this.#draw(), widthOf(this.#terminal) - 1)}`)
  }
}

/** Some terminals, of containers and serial lines, say that they have none. */
export function widthOf({ columns }: Pick<Terminal, 'columns'>): number {
  return columns > 0 ? columns : 80
}

const clearLine = '\r\u001B[2K'

/** A line that wraps could not be taken back. Colours are lost where something is cut off. */
function cut(text: string, columns: number): string {
  const plain = stripVTControlCharacters(text)
  return plain.length <= columns ? text : `${plain.slice(0, Math.max(columns - 1, 0))}…`
}
