import { hang, paint } from '../terminal.ts'

/** Prints lines under a peer's name, so that several processes can share a terminal. */
export type Print = (text: string) => void

const colours = { hub: 'yellow', server: 'cyan', desktop: 'magenta', veteran: 'green' } as const
const nameColumns = 8

export function printerFor(name: keyof typeof colours): Print {
  const { stdout } = process
  const label = `${paint(colours[name], name.padEnd(nameColumns), stdout)} `
  return (text) => {
    const lines = text.split('\n').map((line, index) => {
      const own = line.trimStart()
      const indent = line.length - own.length
      const lead = `${index === 0 ? label : ' '.repeat(nameColumns + 1)}${' '.repeat(indent)}`
      return hang(lead, nameColumns + 1 + indent, own, stdout)
    })
    stdout.write(`${lines.join('\n')}\n`)
  }
}
