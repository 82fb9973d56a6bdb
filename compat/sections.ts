import { formatArgument, parseAddress } from '../core/address.ts'

/*
 * Plugins of 3.8.2 read and print sections without escapes; in an address they are escaped.
 */

/** The alternatives of an address, still escaped. */
export function splitAlternatives(address: string | readonly string[]): readonly string[] {
  return typeof address === 'string' ? (address.match(/(?:![!:;~]|[^;])+/g) ?? []) : address
}

/** The sections of one alternative without their escapes; null when it is no alternative. */
export function splitSections(alternative: string): string[] | null {
  try {
    const [sections, ...others] = parseAddress(alternative)
    if (sections === undefined || others.length > 0) return null
    return sections.map(({ name, data }) => [name, ...data].join(':'))
  } catch {
    return null
  }
}

/** The opposite: sections as they stand in an address. */
export function joinSections(sections: readonly string[]): string {
  return sections.map(escapeSection).join('~')
}

/** One section without escapes as it stands in an address. */
export function escapeSection(section: string): string {
  const colon = section.indexOf(':')
  return colon < 0 ? section : formatArgument(section.slice(0, colon), section.slice(colon + 1))
}

/** Sections of an address as a plugin of 3.8.2 prints them: without escapes, null for none. */
export function printSections(sections: readonly string[]): string | null {
  return sections.flatMap((section) => splitSections(section) ?? []).join(';') || null
}
