/** What other people's programs send is printed in a terminal and on a page: it must not steer either. */

/** `text` without control characters (new lines and what joins emoji stay), direction marks and broken surrogates. */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll('\t', ' ')
    .replace(/(?![\n\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, '')
}

/** The same on one line. */
export function printableLine(text: string): string {
  return printable(text).replace(/\s+/gu, ' ').trim()
}

/** A name that is a name on every system: no folders, nothing hidden, nothing reserved. */
export function safeFileName(name: string): string {
  const safe = printableLine(name.replace(/^.*[/\\]/s, ''))
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
  if (safe === '') return 'file'
  return shorten(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(safe) ? `_${safe}` : safe)
}

/** Long names lose their middle, so that the extension stays; counted in characters as people see them, nearly. */
function shorten(name: string): string {
  const characters = Array.from(name)
  if (characters.length <= longestFileName) return name
  return [...characters.slice(0, longestFileName - 13), '…', ...characters.slice(-12)].join('')
}

const longestFileName = 100

/** `5242880` as `5.0 MiB`. */
export function formatBytes(bytes: number): string {
  const unit = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), 3)
  return unit === 0
    ? `${bytes} bytes`
    : `${(bytes / 1024 ** unit).toFixed(1)} ${['', 'KiB', 'MiB', 'GiB'][unit] ?? ''}`
}
