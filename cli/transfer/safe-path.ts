import { printable } from '../../core/hub-fields.ts'
import { transferLimits } from './limits.ts'

/** Beside a file that is not complete, `NAME` + these: its bytes, and whose they are. */
export const partSuffix = '.part'
export const notesSuffix = '.part.json'

/**
 * The parts of a path under the receiver's folder that a name of a stranger is kept as: at least one, each a name on
 * every system, none of them special. Two names may become one; whoever uses it looks at {@link sameName}.
 */
export function safePath(name: string): string[] {
  const parts = name
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .map(safePart)
  // More folders than anybody has: the innermost names are the ones that tell something.
  return parts.length === 0 ? [unnamed] : parts.slice(-transferLimits.nameParts)
}

/** What two names have in common that are one on some system: without regard to case and to forms of a letter. */
export function sameName(parts: readonly string[]): string {
  return parts.join('/').normalize('NFKC').toLowerCase().normalize('NFKC')
}

/** `notes (2).txt` for `notes.txt` and 2. */
export function numberedName(name: string, number: number): string {
  const [stem, extension] = split(name)
  return `${cut(stem, partBytes - reservedBytes - byteLength(extension))} (${number})${extension}`
}

function safePart(part: string): string {
  const seen = printable(part.normalize('NFC'), Number.POSITIVE_INFINITY).normalize('NFC')
  const plain = seen
    .replaceAll(/[<>:"|?*\\]/gu, '_')
    // Windows drops what is at the end; a dot at the front hides a file, and some such files are obeyed.
    .replace(/^ +|[. ]+$/gu, '')
    .replace(/^\./u, '_')
  if (plain === '') return unnamed
  const short = shorten(plain)
  const isReserved =
    /^(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$|clock\$)(?:\.|$)/iu.test(short) ||
    /^(?:com|lpt)[¹²³](?:\.|$)/iu.test(short)
  const own = isReserved ? `_${short}` : short
  return /\.part(?:\.json)?$/iu.test(own) ? `${own}_` : own
}

const unnamed = 'file'
/** Of a name on nearly every system. */
const systemBytes = 255
/** `_` before or behind it, ` (1000)`, and what stands behind it while it is incomplete. */
const reservedBytes = 8
const partBytes = systemBytes - notesSuffix.length - 4
const longestExtension = 16

/** Long names lose of their stem, so that the extension stays. */
function shorten(part: string): string {
  const most = partBytes - reservedBytes
  if (byteLength(part) <= most) return part
  const [stem, extension] = split(part)
  return cut(stem, most - byteLength(extension)) + extension
}

function split(name: string): [stem: string, extension: string] {
  const at = name.lastIndexOf('.')
  const extension = at > 0 ? name.slice(at) : ''
  return byteLength(extension) > longestExtension
    ? [name, '']
    : [name.slice(0, name.length - extension.length), extension]
}

/** As much of `text` as has at most `mostBytes` bytes in UTF-8, in whole characters, with nothing at the end that is dropped. */
function cut(text: string, mostBytes: number): string {
  let kept = ''
  let bytes = 0
  for (const character of text) {
    bytes += byteLength(character)
    if (bytes > mostBytes) break
    kept += character
  }
  return kept.replace(/[. ]+$/u, '')
}

function byteLength(text: string): number {
  return Buffer.byteLength(text)
}
