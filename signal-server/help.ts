import { allSettings, fileVariableOf, flagOf, type Setting, settingGroups } from './settings.ts'
import { wrap } from './wrap.ts'

const indent = 2
/** Where the texts begin: after the longest flag that is not worth a line of its own. */
const textColumn = 28
/** In a narrow terminal they stand below their flags. */
const narrow = { width: 70, textColumn: 6 }
/** Longer lines are hard to read. */
const widest = 100

/** What `--help` prints. `command` is how the program was called, `columns` how wide the terminal is. */
export function helpText(command: string, columns = 80): string {
  const width = Math.min(columns, widest)
  const sections = Object.entries(settingGroups).map(([title, group]) => {
    const rows = Object.values<Setting<unknown>>(group).map((setting) => describe(setting, width))
    return `${title}:\n${rows.join('\n')}`
  })
  const asked = [row('-h, --help', 'This text.', width), row('--version', 'The version.', width)].join('\n')
  const about = wrap(
    'Introduces peers to each other, so that they can speak over WebRTC. It sees who asks for whom, and nothing of what they say. Each option can be set in the environment as well; the command line comes first.',
    width,
  ).join('\n')
  const signals = wrap(
    'SIGTERM or SIGINT: peers are told when to come back, and the hub ends within 30 seconds; a second one ends it at once.',
    width,
  ).join('\n')
  return [`Usage: ${command} [options]`, about, ...sections, `Else:\n${asked}`, signals].join('\n\n')
}

/** The table of docs/hosting.md. */
export function settingsTable(): string {
  const rows = allSettings().map(([, setting]) => {
    const { env, type, byDefault, help } = setting
    const variables = type.isSecret === true ? `\`${env}\`, \`${fileVariableOf(env)}\`` : `\`${env}\``
    const allowed = type.isSecret === true ? 'a text; a file with it' : type.allowed
    return `| ${variables} | \`--${flagOf(setting)}\` | ${allowed} | ${byDefault} | ${help} |`
  })
  return ['| environment | flag | must be | default | |', '|---|---|---|---|---|', ...rows].join('\n')
}

function describe(setting: Setting<unknown>, width: number): string {
  const { env, type, byDefault, help } = setting
  const isSecret = type.isSecret === true
  const placeholder = isSecret ? 'FILE' : type.placeholder
  // What is on already can only be taken back.
  const name = placeholder === undefined && byDefault === 'yes' ? `no-${flagOf(setting)}` : flagOf(setting)
  const flag = placeholder === undefined ? `--${name}` : `--${name} ${placeholder}`
  const variables = isSecret ? `${env}, ${fileVariableOf(env)}` : env
  return row(flag, `${help} [${variables}; default: ${byDefault}]`, width)
}

function row(flag: string, text: string, width: number): string {
  const column = width < narrow.width ? narrow.textColumn : textColumn
  const lines = wrap(text, width - column)
  const head = `${' '.repeat(indent)}${flag}`
  const margin = ' '.repeat(column)
  const [first = '', ...rest] = lines
  const start = head.length + 1 < column ? [`${head.padEnd(column)}${first}`] : [head, `${margin}${first}`]
  return [...start, ...rest.map((line) => margin + line)].join('\n')
}
