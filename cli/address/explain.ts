import {
  checkOneKey,
  lastKey,
  parseSection,
  splitText,
  type Alternative,
  type Section,
} from '../../core/address.ts'
import { toBase64 } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { explainTransform, explainTransport, strengthOf, type SectionWords } from './sections.ts'

/** An address in words, and what is wrong with it. JSON as it stands. */
export interface Explanation {
  readonly alternatives: readonly ExplainedAlternative[]
  /** The key that all of it names, base64. */
  readonly key: string | undefined
  /** Worth knowing, and nothing wrong. */
  readonly notes: readonly string[]
  readonly problems: readonly Problem[]
}

export interface ExplainedAlternative {
  readonly text: string
  readonly sections: readonly SectionWords[]
  /** 2 for shs2, 1 for shs, 0 for none. */
  readonly strength: number
}

export interface Problem {
  readonly words: string
  /** Where in the text, in UTF-16 units; absent when it is about the whole. */
  readonly at?: number | undefined
  readonly length?: number | undefined
}

/** A part of the text and where it stands. */
interface Part {
  readonly text: string
  readonly at: number
}

/** Explains and checks `address` without connecting to anything. `ready()` of core must have resolved. */
export function explainAddress(address: string): Explanation {
  const problems: Problem[] = []
  if (address.length > limits.address.characters) {
    return { alternatives: [], key: undefined, notes: [], problems: [tooLong(address)] }
  }
  const parts = splitAt({ text: address, at: 0 }, ';')
  const read = parts.map((part) => explainAlternative(part, problems))
  const whole = read.map(({ parsed }) => parsed).filter((parsed) => parsed !== undefined)
  problems.push(...problemsOfWhole(address, whole, parts.length))
  const key = whole.map(lastKey).find((each) => each !== null)
  const alternatives = read.map(({ explained }) => explained)
  return { alternatives, key: key && toBase64(key), notes: notesOn(alternatives), problems }
}

function explainAlternative(
  part: Part,
  problems: Problem[],
): { explained: ExplainedAlternative; parsed?: Alternative } {
  const sections: SectionWords[] = []
  const parsed: Section[] = []
  const texts = splitAt(part, '~')
  for (const [index, { text, at }] of texts.entries()) {
    const section = parseSection(text)
    const isLast = index === texts.length - 1
    if (section === null) {
      problems.push({ words: whyNoSection(text), at, length: text.length })
      continue
    }
    const words = index === 0 ? explainTransport(section, isLast) : explainTransform(section)
    if (words.problem !== undefined) problems.push({ words: words.problem, at, length: text.length })
    sections.push(words)
    parsed.push(section)
  }
  const explained = { text: part.text, sections, strength: strengthOf(parsed) }
  const [first, ...rest] = parsed
  return first === undefined || parsed.length < texts.length
    ? { explained }
    : { explained, parsed: [first, ...rest] }
}

function whyNoSection(text: string): string {
  if (text === '') return 'here is nothing: a section looks like name:argument'
  if (text !== text.trim()) return 'there is a blank here, which no section begins or ends with'
  return `this is no section: one looks like name:argument, with a name of small letters, digits and hyphens`
}

function problemsOfWhole(address: string, whole: readonly Alternative[], count: number): Problem[] {
  const problems: Problem[] = []
  const control = address.search(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u)
  if (control >= 0) problems.push({ words: 'there is a control character here', at: control, length: 1 })
  const { alternatives, sections } = limits.address
  if (count > alternatives)
    problems.push({ words: `there are ${count} alternatives, and ${alternatives} at most are read` })
  if (whole.some(({ length }) => length > sections))
    problems.push({ words: `an alternative has at most ${sections} sections` })
  try {
    checkOneKey(whole, address)
  } catch (thrown) {
    if (!(thrown instanceof MultiserverError)) throw thrown
    problems.push({ words: 'its alternatives name different keys: one of them would reach somebody else' })
  }
  return problems
}

function notesOn(alternatives: readonly ExplainedAlternative[]): string[] {
  const strengths = new Set(alternatives.map(({ strength }) => strength))
  const strongest = Math.max(...strengths)
  const notes: string[] = []
  if (strengths.size > 1) {
    notes.push(`Only the alternatives of strength ${strongest} are dialed, unless a downgrade is allowed.`)
  }
  if (strongest === 0) notes.push('Nothing of it is encrypted, and nobody proves who they are.')
  return notes
}

function tooLong(address: string): Problem {
  return {
    words: `it has ${address.length} characters, and an address has at most ${limits.address.characters}`,
  }
}

function splitAt({ text, at }: Part, separator: string): Part[] {
  let next = at
  return splitText(text, separator).map((part) => {
    const found = { text: part, at: next }
    next += part.length + 1
    return found
  })
}
