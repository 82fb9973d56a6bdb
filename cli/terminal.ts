import { styleText } from 'node:util'
import { wrap } from '../signal-server/wrap.ts'
import { StatusLine, widthOf } from './status-line.ts'

type Style = Parameters<typeof styleText>[0]

/** Of stderr, which this process has once. */
let statusLine: StatusLine | undefined

/** A line of data, on stdout. What a script reads comes through here and nothing else. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** A line for people, on stderr. */
export function say(line: string): void {
  if (statusLine === undefined) process.stderr.write(`${line}\n`)
  else statusLine.say(line)
}

/**
 * Keeps what `draw` gives at the bottom of stderr, drawn every second, where stderr is a terminal; nowhere else. The
 * returned function takes it away.
 */
export function showStatus(draw: () => string): () => void {
  const { stderr } = process
  if (!stderr.isTTY) return () => undefined
  const line = new StatusLine(stderr, draw)
  statusLine = line
  return () => {
    line.stop()
    statusLine = undefined
  }
}

/** Data that {@link say} has shown as well: where both are a terminal, once is enough. */
export function printSaid(line: string): void {
  if (!process.stdout.isTTY || !process.stderr.isTTY) print(line)
}

/**
 * `text` behind `lead`, which may be in colour and takes `indent` characters: in a terminal its lines break between words
 * and begin below each other, elsewhere it is one line.
 */
export function hang(lead: string, indent: number, text: string, stream: NodeJS.WriteStream): string {
  const width = stream.isTTY ? widthOf(stream) - indent : Number.POSITIVE_INFINITY
  return `${lead}${wrap(text, width).join(`\n${' '.repeat(indent)}`)}`
}

/** For `--json`: one value on one line of stdout. Bytes are base64 already, times are Unix milliseconds. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

/** `text` in colour where `stream` is a terminal that has colours and nobody said NO_COLOR. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stderr): string {
  return hasColours(stream) ? styleText(style, text) : text
}

/** Node looks at NO_COLOR, FORCE_COLOR and TERM. */
function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.hasColors()
}

/** What came from the network or the user, on one line, and without anything that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '�')
}

/** As a shell takes it: addresses hold `;`, `!` and `~`. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** The examples below a command's options: what to type, and what for. */
export function examples(...rows: readonly (readonly [command: string, about: string])[]): string {
  const lines = rows.map(([command, about]) => `  # ${about}\n  ${command}`)
  return `\nExamples:\n${lines.join('\n')}\n`
}
