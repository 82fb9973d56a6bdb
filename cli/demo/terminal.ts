import { styleText } from 'node:util'

/** Prints lines under a peer's name, so that several processes can share a terminal. */
export type Print = (text: string) => void

const colours = { hub: 'yellow', server: 'cyan', desktop: 'magenta', veteran: 'green' } as const

export function printerFor(name: keyof typeof colours): Print {
  const isColoured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  const label = name.padEnd(8)
  const prefix = isColoured ? styleText(colours[name], label) : label
  return (text) => {
    const [first = '', ...rest] = text.split('\n')
    const lines = [`${prefix} ${first}`, ...rest.map((line) => `${' '.repeat(label.length)} ${line}`)]
    process.stdout.write(`${lines.join('\n')}\n`)
  }
}
