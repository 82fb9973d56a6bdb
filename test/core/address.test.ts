import { describe, expect, it } from 'vitest'
import {
  checkOneKey,
  formatAddress,
  formatArgument,
  formatSection,
  lastKey,
  parseAddress,
  parseKeyText,
  parseSection,
  sectionArgument,
} from '../../core/address.ts'
import { limits } from '../../core/limits.ts'
import { keyBytes, keyText } from './staged.ts'

const key = keyText(1)

describe('parseAddress', () => {
  it('reads alternatives, sections and arguments', () => {
    expect(parseAddress(`net:example.com:8008~shs:${key};ws://example.com:8989~shs2:${key}`)).toEqual([
      [
        { name: 'net', data: ['example.com', '8008'] },
        { name: 'shs', data: [key] },
      ],
      [
        { name: 'ws', data: ['//example.com', '8989'] },
        { name: 'shs2', data: [key] },
      ],
    ])
  })

  it.each([
    ['a section without arguments', 'noauth', [[{ name: 'noauth', data: [] }]]],
    ['empty arguments', 'shs:::', [[{ name: 'shs', data: ['', '', ''] }]]],
    ['escaped separators', 'a:1!:2!;3!~4!!5', [[{ name: 'a', data: ['1:2;3~4!5'] }]]],
    ['an escaped escape before a separator', 'a:!!:b', [[{ name: 'a', data: ['!', 'b'] }]]],
    ['a ! before anything else as itself', 'a:wow!:b!', [[{ name: 'a', data: ['wow:b!'] }]]],
    ['a lone ! at the end', 'a:!', [[{ name: 'a', data: ['!'] }]]],
    ['text beyond ASCII', 'memory:bücher 📚', [[{ name: 'memory', data: ['bücher 📚'] }]]],
  ])('reads %s', (_what, text, parsed) => {
    expect(parseAddress(text)).toEqual(parsed)
  })

  // What multiserver 3.8.2, its plugins and rooms print today.
  it.each([
    `net:fe80::1:8008~shs:${key}`,
    `net:[fe80::1]:8008~shs:${key}`,
    'net:::1:8008',
    'net::8008',
    `ws://[::1]:8989/path?query=1~shs:${key}`,
    `ws://localhost:9000/~shs:${key}`,
    `wss://example.com~shs:${key}`,
    `onion:abcdefghijklmnop.onion:8008~shs:${key}`,
    'unix:/tmp/a b/socket~noauth',
    String.raw`unix:\\?\pipe\ssb\socket~noauth`,
    `shs:${key}:${key}`,
    `tunnel:@${key}.ed25519:@${key}.ed25519~shs:${key}`,
    `dht:${key}~shs:${key}`,
    `bt:AABBCCDDEEFF~shs:${key}`,
    `channel~noauth`,
    `net:example.com:8008~shse:2b3Q8sYQ:9xq`,
    `rtc:hub.example.com~shs2:${key}`,
    `rtc:wss://hub.example.com:8443/prefix~shs2:${key}`,
    `rtc:[::1]:8080~shs:${key}`,
    `net:a.example:8008~shs:${key};net:b.example:8008~shs:${key};ws://b.example~shs:${key}`,
  ])('keeps the text of %s', (text) => {
    expect(formatAddress(parseAddress(text))).toBe(text)
  })

  it.each([
    ['nothing', ''],
    ['an empty alternative', 'net:h:1;'],
    ['an empty alternative in the middle', 'net:h:1;;net:h:2'],
    ['an empty section', 'net:h:1~'],
    ['an empty section in the middle', 'net:h:1~~shs:x'],
    ['a name of nothing', ':h:1'],
    ['a name that begins with a digit', '1net:h'],
    ['a name in upper case', 'NET:h:1'],
    ['a name with an escape in it', 'n!:et:h'],
    ['blanks around it', ' net:h:1'],
    ['a line break', 'net:h:1\n'],
    ['a zero character', 'net:h\u0000:1'],
    ['a line separator', 'net:h\u2028:1'],
    ['half of a surrogate pair', 'memory:\ud83d'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({ code: 'ADDRESS_INVALID', address: text }),
    )
  })

  it.each([[undefined], [null], [42], [{}], [['net:h:1']]])('refuses %j, which is no text', (value) => {
    expect(() => parseAddress(value as string)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }))
  })

  it.each([
    ['characters', limits.address.characters, (n: number) => `a:${'x'.repeat(n - 2)}`],
    ['alternatives', limits.address.alternatives, (n: number) => Array(n).fill('a').join(';')],
    ['sections', limits.address.sections, (n: number) => Array(n).fill('a').join('~')],
  ])('takes the most %s that it may have, and no more', (_what, most, make) => {
    expect(parseAddress(make(most - 1))).toBeDefined()
    expect(parseAddress(make(most))).toBeDefined()
    expect(() => parseAddress(make(most + 1))).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }))
  })

  it('shows only the beginning of a very long text in its error', () => {
    expect(() => parseAddress('!'.repeat(100_000))).toThrow(/^.{0,300}$/)
  })
})

describe('sections', () => {
  it.each(['', ':', 'a~b', 'a;b', 'A:b', '-a'])('answer null to %j', (text) => {
    expect(parseSection(text)).toBeNull()
  })

  it('keep separators in their arguments when formatted', () => {
    const section = { name: 'a', data: [';', '~', ':', '!', '!:', ''] }
    expect(parseSection(formatSection(section))).toEqual(section)
  })

  it('join arguments that hold colons', () => {
    expect(sectionArgument('ws://host:80/path', 'ws')).toBe('//host:80/path')
    expect(sectionArgument('net:fe80::1:80', 'net')).toBe('fe80::1:80')
    expect(sectionArgument('wss://host', 'ws')).toBeNull()
    expect(formatArgument('ws', '//host:80/a;b~c!')).toBe('ws://host:80/a!;b!~c!!')
  })
})

describe('keys in addresses', () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => 255 - at)
  const standard = Buffer.from(bytes).toString('base64')

  it.each([
    ['padded', standard],
    ['unpadded', standard.replace('=', '')],
    ['url-safe', standard.replaceAll('+', '-').replaceAll('/', '_')],
    ['url-safe and unpadded', Buffer.from(bytes).toString('base64url')],
    ['as an ssb id', `@${standard}.ed25519`],
    ['as ssb-keys has it', `${standard}.ed25519`],
  ])('are read %s', (_form, text) => {
    expect(parseKeyText(text)).toEqual(bytes)
  })

  it.each([
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['nothing', ''],
    ['other characters', `${standard.slice(0, -2)}*=`],
    ['bits left over', standard.replace(/.=$/, 'B=')],
    ['another curve', `@${standard}.sha256`],
  ])('are refused with %s', (_what, text) => {
    expect(parseKeyText(text)).toBeNull()
  })

  it('are the last that an alternative names', () => {
    const last = (text: string) => parseAddress(text).map(lastKey)[0]
    expect(last(`net:h:1~shs:${key}`)).toEqual(keyBytes(1))
    expect(last(`net:h:1~shs2:${key}`)).toEqual(keyBytes(1))
    expect(last(`net:h:1~shs:${keyText(2)}~shs2:${key}`)).toEqual(keyBytes(1))
    expect(last(`tunnel:@${keyText(2)}.ed25519:@${keyText(3)}.ed25519~shs:${key}`)).toEqual(keyBytes(1))
    expect(last(`net:h:1~shs:${key}~noauth`)).toEqual(keyBytes(1))
    expect(last('net:h:1~noauth')).toBeNull()
    expect(last(`shs:${key}`)).toBeNull()
  })
})

describe('the rule of one key', () => {
  const check = (address: string) => checkOneKey(parseAddress(address), address)
  const other = keyText(2)

  it('takes alternatives that name one key in different writings', () => {
    const bare = key.replace('=', '')
    check(`net:h:1~shs:${key};ws://h~shs2:@${key}.ed25519;net:h:2;net:h:3~noauth;x:1~shs3:${bare}`)
  })

  it.each([
    ['of one transform', `net:h:1~shs:${key};net:h:2~shs:${other}`],
    ['of different transforms', `net:h:1~shs:${key};net:h:2~shs2:${other}`],
    ['in an alternative that nobody here understands', `net:h:1~shs:${key};carrier-pigeon:1~shs9:${other}`],
    ['far apart', `net:h:1~shs:${key};net:h:2;net:h:3~noauth;net:h:4~shs:${other}`],
    ['under a transform without a key', `net:h:1~shs:${key};net:h:2~shs:${other}~noauth`],
  ])('refuses two keys %s', (_where, address) => {
    expect(() => check(address)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID', address }))
  })
})
