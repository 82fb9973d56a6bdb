import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  announcedKey,
  decodeMessage,
  demoLimits,
  encodeMessage,
  type LobbyEntry,
  type Message,
  type RosterEntry,
} from '../../cli/demo/protocol.ts'
import { mostLinks, type Link } from '../../cli/demo/links.ts'
import { printable, printableLine, safeFileName } from '../../cli/demo/text.ts'
import { toBase64 } from '../../core/bytes.ts'

const runs = { numRuns: 5_000 }
const key = (byte: number) => toBase64(new Uint8Array(32).fill(byte))
const address = `net:localhost:1~shs:${key(1)};rtc:127.0.0.1:8989~shs:${key(1)}`

const id = fc.integer({ min: 1, max: 0xffff_ffff })
const count = fc.integer({ min: 0, max: demoLimits.fileBytes })
const hash = fc.string({
  unit: fc.constantFrom(...Array.from('0123456789abcdef')),
  minLength: 64,
  maxLength: 64,
})
const line = (most: number) =>
  fc.string({ unit: 'grapheme', maxLength: most }).map((text) => cut(printableLine(text), most))
const entry: fc.Arbitrary<RosterEntry> = fc.record({
  kind: fc.constantFrom('browser', 'desktop', 'server', 'veteran'),
  name: line(demoLimits.nameCharacters).map((text) => text || 'somebody'),
  address: fc.constantFrom('', address),
})
const links = fc.array(
  fc.record(
    {
      to: fc.constant(key(2)),
      over: fc.constantFrom('net', 'ws', 'rtc', 'tunnel'),
      path: fc.constantFrom('direct', 'turn', 'relay'),
      strength: fc.constantFrom(0, 1, 2),
      bytesPerSecond: fc.nat(),
    },
    { requiredKeys: ['to', 'over', 'strength', 'bytesPerSecond'] },
  ),
  { maxLength: mostLinks },
)
const lobbyEntry: fc.Arbitrary<LobbyEntry> = fc
  .tuple(entry, links)
  .map(([fields, told]) => ({ ...fields, links: told }))
const link: Link = { to: key(2), over: 'tunnel', path: 'direct', strength: 2, bytesPerSecond: 2 ** 53 - 1 }
const message: fc.Arbitrary<Message> = fc.oneof(
  entry.map((fields): Message => ({ type: 'hello', ...fields })),
  fc
    .string({ unit: 'grapheme', maxLength: 100 })
    .map((text): Message => ({ type: 'chat', text: printable(text), room: text.length % 2 === 0 })),
  fc.array(lobbyEntry, { maxLength: 5 }).map((peers): Message => ({ type: 'roster', peers })),
  fc.record({ type: fc.constant('state'), address: fc.constantFrom('', address), links }),
  fc.record({ type: fc.constantFrom('ping', 'pong'), id }),
  fc.record({ type: fc.constant('upgrade') }),
  fc.record({
    type: fc.constant('offer'),
    id,
    name: line(50).map(safeFileName),
    size: count,
    room: fc.boolean(),
  }),
  fc.record({ type: fc.constantFrom('done', 'received'), id, sha256: hash }),
  fc.record({ type: fc.constantFrom('withdraw', 'refuse'), id, why: line(50) }),
  fc.record({ type: fc.constant('accept'), id }),
  fc.record({ type: fc.constant('progress'), id, received: count }),
)

describe('a message of the demo', () => {
  it('comes back as it was sent', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent)
      }),
      runs,
    )
  })

  it('has no field that nobody asked for', () => {
    fc.assert(
      fc.property(message, fc.dictionary(fc.string(), fc.jsonValue()), (sent, more) => {
        expect(decodeMessage(JSON.stringify({ ...more, ...sent }))).toEqual(sent)
      }),
      runs,
    )
  })

  it('is never more than what the limits allow, whatever comes', () => {
    const strange = fc.oneof(
      fc.jsonValue(),
      fc.tuple(
        message,
        fc.dictionary(fc.constantFrom('id', 'size', 'text', 'name', 'kind', 'peers', 'why'), fc.jsonValue()),
      ),
    )
    fc.assert(
      fc.property(strange, (value) => {
        const json = JSON.stringify(
          Array.isArray(value) ? { ...Object(value[0]), ...Object(value[1]) } : value,
        )
        const decoded = decodeMessage(json)
        if (decoded !== null) expect(decodeMessage(encodeMessage(decoded))).toEqual(decoded)
      }),
      runs,
    )
  })

  it('is null for any other text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodeMessage(text)).toBeNull()
      }),
      runs,
    )
  })

  it.each([
    ['a kind that there is not', { type: 'hello', kind: 'toaster', name: 'x', address: '' }],
    ['a name that steers a terminal', { type: 'hello', kind: 'browser', name: '\u001B[2J', address: '' }],
    [
      'a name that turns the writing direction',
      { type: 'hello', kind: 'browser', name: 'a\u202Eb', address: '' },
    ],
    ['no name', { type: 'hello', kind: 'browser', name: '', address: '' }],
    ['a name that is too long', { type: 'hello', kind: 'browser', name: 'x'.repeat(41), address: '' }],
    ['an address without a key', { type: 'hello', kind: 'browser', name: 'x', address: 'net:localhost:1' }],
    ['a text that is too long', { type: 'chat', text: 'x'.repeat(4001) }],
    [
      'a roster that is too long',
      {
        type: 'roster',
        peers: Array.from({ length: 101 }, () => ({ kind: 'server', name: 'x', address: '' })),
      },
    ],
    ['a link to no key', { type: 'state', address: '', links: [{ ...link, to: 'AAAA' }] }],
    ['a link over nothing', { type: 'state', address: '', links: [{ ...link, over: 'rope' }] }],
    ['a link that runs backwards', { type: 'state', address: '', links: [{ ...link, bytesPerSecond: -1 }] }],
    [
      'too many links',
      { type: 'state', address: '', links: Array.from({ length: mostLinks + 1 }, () => link) },
    ],
    ['the id 0', { type: 'accept', id: 0 }],
    ['half an id', { type: 'accept', id: 1.5 }],
    ['a negative size', { type: 'offer', id: 1, name: 'x', size: -1 }],
    ['a size beyond all files', { type: 'offer', id: 1, name: 'x', size: 2 ** 41 }],
    ['a hash that is none', { type: 'done', id: 1, sha256: 'F'.repeat(64) }],
    ['an unknown type', { type: 'dance' }],
  ])('is refused with %s', (_what, value) => {
    expect(decodeMessage(JSON.stringify(value))).toBeNull()
  })

  it('of a full roster fits', () => {
    const most: LobbyEntry = {
      kind: 'desktop',
      name: '漢'.repeat(40),
      address: `net:${'漢'.repeat(440)}:1~shs:${key(1)}`,
      links: Array.from({ length: mostLinks }, () => link),
    }
    const peers = Array.from({ length: demoLimits.rosterEntries }, () => most)
    const json = encodeMessage({ type: 'roster', peers })
    expect(decodeMessage(json)).toEqual({ type: 'roster', peers })
    expect(new TextEncoder().encode(json).length).toBeLessThanOrEqual(demoLimits.messageBytes)
  })
})

describe('an announced address', () => {
  it('has one key', () => {
    expect(announcedKey(address)).toEqual(new Uint8Array(32).fill(1))
  })

  it.each([
    '',
    'net:localhost:1',
    `net:h:1~shs:${key(1)};net:h:1~shs:${key(2)}`,
    `net:h:1;net:h:1~shs:${key(1)}`,
    '~~~',
  ])('has none: %s', (text) => {
    expect(announcedKey(text)).toBeNull()
  })
})

describe('texts from peers', () => {
  it('lose what steers a terminal or turns the writing direction', () => {
    expect(printable('a\u001B[31mb\r\nc\u202Ed\tє\u0000\u2028')).toBe('a[31mb\ncd є')
    expect(printable('👩‍👩‍👧 👋🏽')).toBe('👩‍👩‍👧 👋🏽')
  })

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\evil.exe', 'evil.exe'],
    ['.bashrc', 'bashrc'],
    ['..', 'file'],
    ['', 'file'],
    ['con.txt', '_con.txt'],
    ['a\u202Egpj.exe', 'agpj.exe'],
    ['what?.png', 'what_.png'],
    ['ordinary name.tar.gz', 'ordinary name.tar.gz'],
  ])('that name a file %j become %j', (name, safe) => {
    expect(safeFileName(name)).toBe(safe)
  })

  it('that name a file are safe whatever they are, and stay as they are then', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const safe = safeFileName(name)
        expect(safe).toMatch(/^[^/\\<>:"|?*\p{Cc}]+$/u)
        expect(safe).not.toMatch(/^\.|^\s|[.\s]$/)
        expect(Array.from(safe).length).toBeLessThanOrEqual(101)
        expect(safeFileName(safe)).toBe(safe)
      }),
      runs,
    )
  })
})

/** Never through the middle of a character. */
function cut(text: string, most: number): string {
  const characters = Array.from(text)
  while (characters.join('').length > most) characters.pop()
  return characters.join('').trim()
}
