import { equalBytes, fromBase64 } from './bytes.ts'
import { MultiserverError } from './errors.ts'
import { limits } from './limits.ts'
import type { Bytes } from './types.ts'

/** One `~` part of an alternative: `shs:KEY` is `{ name: 'shs', data: ['KEY'] }`, unescaped. */
export interface Section {
  readonly name: string
  readonly data: readonly string[]
}

/** One `;` part of an address: the transport's section, then those of its transforms. */
export type Alternative = readonly [Section, ...Section[]]

/**
 * The text of an address as alternatives of sections.
 *
 * `;` separates alternatives, `~` sections, `:` arguments, and `!` escapes the next of `! : ; ~`.
 * A `!` before anything else stands for itself. Names are lower case letters, digits and hyphens.
 *
 * @throws ADDRESS_INVALID
 */
export function parseAddress(text: string): Alternative[] {
  if (typeof text !== 'string') throw invalid('an address is a text', String(text))
  if (text.length > limits.address.characters) {
    throw invalid(`an address has at most ${limits.address.characters} characters`, text)
  }
  const alternatives = splitText(text, ';').map((part) => parseAlternative(part, text))
  if (alternatives.length > limits.address.alternatives) {
    throw invalid(`an address has at most ${limits.address.alternatives} alternatives`, text)
  }
  return alternatives
}

export function formatAddress(alternatives: readonly Alternative[]): string {
  return alternatives.map(formatAlternative).join(';')
}

export function formatAlternative(alternative: readonly Section[]): string {
  return alternative.map(formatSection).join('~')
}

export function formatSection(section: Section): string {
  return [section.name, ...section.data.map(escapeText)].join(':')
}

/** One section, or null when it is malformed. What plugs parse. */
export function parseSection(text: string): Section | null {
  const [name = '', ...data] = splitText(text, ':')
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return null
  if (splitText(text, ';').length > 1 || splitText(text, '~').length > 1) return null
  return { name, data: data.map(unescapeText) }
}

/** The arguments of `text` joined again, when it is a section called `name`; for those that hold colons, such as a URL. */
export function sectionArgument(text: string, name: string): string | null {
  const section = parseSection(text)
  return section === null || section.name !== name ? null : section.data.join(':')
}

/** A section whose one argument may hold colons, which stay unescaped as everybody prints them. */
export function formatArgument(name: string, argument: string): string {
  return formatSection({ name, data: argument.split(':') })
}

/**
 * The key that an alternative leads to: the first argument of its last section of the secret-handshake family, or of a
 * tunnel that has none behind it. It needs no stack, so that alternatives which nobody here understands count too.
 */
export function lastKey([, ...transforms]: Alternative): Bytes | null {
  const last = transforms.findLast(namesKey)
  return last === undefined ? null : keyIn(last)
}

/**
 * Refuses an address whose alternatives name different keys, for one of them would reach somebody else, and one with a
 * tunnel that does not lead to the peer which is to prove its key behind it.
 */
export function checkOneKey(alternatives: readonly Alternative[], address: string): void {
  const keys = alternatives.map(lastKey).filter((key) => key !== null)
  if (!areEqual(keys)) throw invalid('its alternatives name different keys', address)
  if (!alternatives.every(leadsWhereItProves)) {
    throw invalid('a tunnel leads to another key than the section behind it names', address)
  }
}

function leadsWhereItProves([, ...transforms]: Alternative): boolean {
  const named = transforms.filter(namesKey)
  return named.every((section, index) => {
    const next = named[index + 1]
    if (section.name !== 'tunnel' || next === undefined) return true
    return areEqual([keyIn(section), keyIn(next)].filter((key) => key !== null))
  })
}

function namesKey({ name }: Section): boolean {
  return name === 'tunnel' || /^shs\d*$/.test(name)
}

function keyIn({ data }: Section): Bytes | null {
  return parseKeyText(data[0] ?? '')
}

function areEqual([first, ...others]: readonly Bytes[]): boolean {
  return first === undefined || others.every((key) => equalBytes(key, first))
}

/** A 32-byte key: base64, padded or not, url-safe or not, also as `@….ed25519`. */
export function parseKeyText(text: string): Bytes | null {
  const key = fromBase64(text.replace(/^@/, '').replace(/\.ed25519$/, ''))
  return key?.length === 32 ? key : null
}

function parseAlternative(text: string, address: string): Alternative {
  const [first, ...rest] = splitText(text, '~').map((part) => {
    if (hasControlCharacter(part)) throw invalid('it has a control character', address)
    const section = parseSection(part)
    if (section === null) throw invalid(`"${part}" is not a section; one looks like name:argument`, address)
    return section
  })
  if (first === undefined) throw invalid('an alternative is empty', address)
  if (rest.length >= limits.address.sections) {
    throw invalid(`an alternative has at most ${limits.address.sections} sections`, address)
  }
  return [first, ...rest]
}

/** Splits at each `separator` that no `!` escapes; the parts stay escaped. */
export function splitText(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (escapes(text, at)) at += 1
    else if (text[at] === separator) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function escapes(text: string, at: number): boolean {
  return text[at] === '!' && '!:;~'.includes(text[at + 1] ?? ' ')
}

function escapeText(text: string): string {
  return text.replace(/[!:;~]/g, '!$&')
}

function unescapeText(text: string): string {
  return text.replace(/!([!:;~])/g, '$1')
}

/** Control characters, line and paragraph separators, lone surrogates: nothing that can't be printed on one line. */
function hasControlCharacter(text: string): boolean {
  return /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)
}

function invalid(why: string, address: string): MultiserverError {
  const shown = address.length > 200 ? `${address.slice(0, 200)}…` : address
  return new MultiserverError('ADDRESS_INVALID', `${JSON.stringify(shown)} is not an address: ${why}`, {
    address,
  })
}
