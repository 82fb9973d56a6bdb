import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { settingsTable } from '../../signal-server/help.ts'
import { defaultLimits } from '../../signal-server/limits.ts'
import { allSettings, fileVariableOf, flagOf } from '../../signal-server/settings.ts'

const manual = readFileSync(new URL('../../docs/hosting.md', import.meta.url), 'utf8')
const deploy = new URL('../../signal-server/deploy/', import.meta.url)

/** The cells of a table, row by row; how it is laid out does not count. */
function cellsOf(table: string): string[][] {
  const rows = table
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s|-]+$/.test(line))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

function section(name: string): string {
  return manual.split(`<!-- ${name} -->`)[1]?.split(`<!-- /${name} -->`)[0] ?? ''
}

describe('docs/hosting.md', () => {
  it('has the table of settings as the program has it', () => {
    expect(cellsOf(section('settings'))).toEqual(cellsOf(settingsTable()))
  })

  it('has every limit, with its default and a sentence', () => {
    const [, ...rows] = cellsOf(section('limits'))
    const told = rows.map(([name = '', value = '']) => [
      name.replaceAll('`', ''),
      Number(value.replaceAll(',', '')),
    ])
    expect(told).toEqual(Object.entries(defaultLimits))
    expect(rows.filter(([, , sentence = '']) => sentence === '')).toEqual([])
  })

  it('names only settings that there are', () => {
    const known = new Set(allSettings().flatMap(([, { env }]) => [env, fileVariableOf(env)]))
    const set = [...manual.matchAll(/\b([A-Z]+(?:_[A-Z]+)*)=/g)].map(([, name = '']) => name)
    const others = new Set(['TURN_HOST'])
    expect(set.length).toBeGreaterThan(10)
    expect(set.filter((name) => !known.has(name) && !others.has(name))).toEqual([])
    const flags = new Set(allSettings().map(([, setting]) => `--${flagOf(setting)}`))
    const ofTheHub = [...manual.matchAll(/multiserver-hub (--[a-z-]+)/g)].map(([, flag = '']) => flag)
    expect(ofTheHub.filter((flag) => !flags.has(flag) && flag !== '--help')).toEqual([])
  })

  it('has a row for every alert', () => {
    const alerts = [...readFileSync(new URL('alerts.yaml', deploy), 'utf8').matchAll(/alert: (\w+)/g)]
    expect(alerts.length).toBeGreaterThan(5)
    for (const [, name = ''] of alerts) expect(manual).toContain(`\`${name}\``)
  })

  it('has no link to a place that it does not have', () => {
    const anchors = [...manual.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
    const places = new Set([...anchors, ...[...manual.matchAll(/<a id="(.*?)">/g)].map(([, id]) => id)])
    const links = [...manual.matchAll(/\]\(#(.*?)\)/g)].map(([, anchor]) => anchor)
    expect(links.length).toBeGreaterThan(8)
    expect(links.filter((anchor) => !places.has(anchor))).toEqual([])
  })
})
