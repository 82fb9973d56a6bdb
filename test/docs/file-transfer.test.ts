import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { transferLimits } from '../../cli/transfer/limits.ts'
import { goneCodes, refusalCodes, skipCodes, transferVersion } from '../../cli/transfer/messages.ts'

const page = readFileSync(new URL('../../docs/file-transfer.md', import.meta.url), 'utf8')
const number = (value: number) => value.toLocaleString('en')

describe('docs/file-transfer.md', () => {
  it.each([...refusalCodes, ...skipCodes, ...goneCodes])('names %s', (code) => {
    expect(page).toContain(`\`${code}\``)
  })

  it.each([
    ['the version', `Version ${transferVersion}, `],
    ['the files of an offer', `at most ${number(transferLimits.files)} files`],
    ['the length of a message', `at most ${transferLimits.messageBytes / 1024} KiB`],
    ['the length of a chunk', `1 to ${number(transferLimits.dataBytes)} bytes`],
    ['the length of a name', `at most ${number(transferLimits.nameCharacters)} UTF-16 units`],
    ['the length of all names', `at most ${number(transferLimits.namesCharacters)}.`],
    ['when to say that one is alive', `nothing for ${transferLimits.aliveAfterMs / 1000} s`],
    ['how long a silence may be', `After ${transferLimits.silentMs / 1000} s of silence`],
    ['how long an offer may take', `the whole offer for ${transferLimits.offerTimeoutMs / 1000} s`],
  ])('says what %s is', (_what, words) => {
    expect(page.replaceAll(/\s+/g, ' ')).toContain(words)
  })
})
