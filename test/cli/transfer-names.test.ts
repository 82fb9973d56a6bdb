import fc from 'fast-check'
import { posix, win32 } from 'node:path'
import { describe, expect, it } from 'vitest'
import { numberedName, safePath, sameName } from '../../cli/transfer/safe-path.ts'

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme-composite', maxLength: 300 }),
  fc
    .array(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '\\',
        '~',
        'C:',
        ':',
        '\0',
        '\r\n',
        '\u202e',
        '\u001b[2J',
        'nul',
        'COM1',
        '.part',
        '.part.json',
        ' ',
        '.',
        'e\u0301',
        '\ud800',
        'ﬁ',
        '…',
      ),
      { maxLength: 20 },
    )
    .map((parts) => parts.join('')),
)

describe('safePath', () => {
  it('stays in its folder, on every system, with names that every system bears, whatever it is given', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const parts = safePath(name)
        expect(parts.length).toBeGreaterThan(0)
        for (const paths of [posix, win32]) {
          const root = paths.resolve('/inbox')
          const inside = paths.relative(root, paths.join(root, ...parts))
          expect(inside.split(paths.sep)).toEqual(parts)
        }
        for (const part of parts) {
          expect(part).not.toMatch(/^\.|[. ]$|[<>:"|?*\\/\p{C}]/u)
          expect(part).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/iu)
          expect(part).not.toMatch(/\.part(?:\.json)?$/iu)
          expect(part).toBe(part.normalize('NFC'))
          // Of them and of what stands behind it while it is incomplete.
          expect(Buffer.byteLength(`${part}.part.json.123`)).toBeLessThanOrEqual(255)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  it('leaves alone what it has made', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const parts = safePath(name)
        expect(safePath(parts.join('/'))).toEqual(parts)
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['notes.txt', 'notes.txt'],
    ['a/b/c.txt', 'a/b/c.txt'],
    ['Überraschung – 日本.txt', 'Überraschung – 日本.txt'],
    ['../../etc/passwd', 'etc/passwd'],
    ['/etc/passwd', 'etc/passwd'],
    ['a//./b/', 'a/b'],
    ['..', 'file'],
    ['', 'file'],
    ['C:\\Windows\\x.dll', 'C__Windows_x.dll'],
    ['.ssh/authorized_keys', '_ssh/authorized_keys'],
    ['x\u0000y\u001b[31m\u202ez', 'xy[31mz'],
    ['aux.txt', '_aux.txt'],
    ['x.part', 'x.part_'],
    ['x.PART.json', 'x.PART.json_'],
    ['e\u0301', '\u00e9'],
    ['trailing. . ', 'trailing'],
  ])('makes of %j %j', (name, safe) => {
    expect(safePath(name).join('/')).toBe(safe)
  })

  it('cuts a long name before its extension, and folders beyond the thirty-second', () => {
    expect(safePath(`${'ü'.repeat(500)}.tar.gz`)[0]).toMatch(/^ü{100,}\.tar\.gz$|^ü{100,}.*\.gz$/)
    expect(safePath('x/'.repeat(100))).toHaveLength(32)
  })
})

describe('sameName', () => {
  it.each([
    ['README', 'readme'],
    ['ﬁle', 'file'],
    ['\u00c5', 'a\u030a'],
  ])('tells that %j and %j are one on some system', (a, b) => {
    expect(sameName([a])).toBe(sameName([b]))
  })

  it('tells others apart', () => {
    expect(sameName(['a', 'b'])).not.toBe(sameName(['a', 'c']))
  })
})

describe('numberedName', () => {
  it('puts the number before the extension, within what a name may have', () => {
    expect(numberedName('notes.txt', 2)).toBe('notes (2).txt')
    expect(numberedName('notes', 10)).toBe('notes (10)')
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 1000 }), (name, number) => {
        const numbered = numberedName(safePath(name).at(-1) ?? '', number)
        expect(safePath(numbered)).toEqual([numbered])
      }),
    )
  })
})
