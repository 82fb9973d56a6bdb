import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { explainAddress } from '../../cli/address/explain.ts'
import { parseAddress } from '../../core/address.ts'
import { ready } from '../../core/ed25519.ts'
import { generateKeys, keyToString } from '../../plugs/keys.ts'
import { run } from './command.ts'

const key = keyToString((await generateKeys()).publicKey)
const other = keyToString((await generateKeys()).publicKey)

beforeAll(ready)

test('explains each section, and says nothing against an address that is right', async () => {
  const address = `net:192.168.2.7:8008~shs:${key};rtc:hub.example.com~shs2:${key};unix:/run/x~noauth`
  const { code, stdout } = await run(['address', address])
  expect(code).toBe(0)
  for (const words of [
    'TCP',
    'local network',
    'wss://hub.example.com',
    'Noise XK',
    'a socket in the file system',
  ])
    expect(stdout).toContain(words)
  expect(stdout).toContain('Only the alternatives of strength 2 are dialed')
})

test('points at what is wrong, and ends with the code for that', async () => {
  const { code, stdout } = await run(['address', `net:example.com~shs2:${key}`])
  expect(code).toBe(2)
  expect(stdout).toContain('✗ net needs HOST:PORT')
  expect(stdout).toContain(`  net:example.com~shs2:${key.slice(0, 5)}`)
  expect(stdout.split('\n')).toContain(`  ${'^'.repeat('net:example.com'.length)}`)
})

test.each([
  ['a key that was cut', `net:a:1~shs:${key.slice(0, 20)}`, /bytes instead of 32/, 8],
  ['a key that is missing', 'net:a:1~shs', /the key is missing/, 8],
  [
    'a key that nobody can prove',
    `net:a:1~shs:${Buffer.alloc(32).toString('base64')}`,
    /nobody can prove/,
    8,
  ],
  ['WebRTC without a key', 'net:a:1;rtc:hub.example.com', /needs a key behind it/, 8],
  ['an empty alternative', 'net:a:1;', /here is nothing/, 8],
  ['a name in capitals', 'net:a:1;NET:b:2', /no section/, 8],
  ['a port that is none', 'net:a:1;net:b:70000', /from 1 to 65535/, 8],
  [
    'a tunnel to another',
    `net:a:1~shs2:${key}~tunnel:${key}~shs:${other}`,
    /tunnel leads to another/,
    undefined,
  ],
  ['two keys', `net:a:1~shs:${key};net:a:1~shs2:${other}`, /different keys/, undefined],
])('finds %s', (_what, address, words, at) => {
  const [problem, ...more] = explainAddress(address).problems
  expect(problem?.words).toMatch(words)
  expect(problem?.at).toBe(at)
  expect(more).toEqual([])
})

test('explains a tunnel, whose strength is that of what stands behind it', () => {
  const { alternatives, problems } = explainAddress(`rtc:h~shs2:${key}~tunnel:${other}~shs:${other}`)
  expect(problems).toEqual([])
  expect(alternatives).toMatchObject([{ strength: 1 }])
  expect(alternatives[0]?.sections[2]?.words).toContain('through a bridge')
})

test('skips what a later version may know', () => {
  const { problems, alternatives } = explainAddress(`net:a:1~shs9:${key};quic:b:2~shs:${key}`)
  expect(problems).toEqual([])
  expect(
    alternatives.map(({ sections }) => sections.some(({ words }) => /does not know/.test(words))),
  ).toEqual([true, true])
})

test('answers a script with one line of JSON', async () => {
  const { code, stdout } = await run(['address', '--json', 'net:a~noauth'])
  expect(code).toBe(2)
  expect(JSON.parse(stdout)).toMatchObject({ problems: [{ at: 0, length: 5 }] })
})

test('never lets pass what the grammar refuses, whatever the text', () => {
  const piece = fc.constantFrom(
    'net',
    'rtc',
    'shs',
    key,
    'a',
    '1',
    ':',
    ';',
    '~',
    '!',
    '//',
    '\u0000',
    '\u202E',
    'A',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (address) => {
      const { problems } = explainAddress(address)
      if (problems.length === 0) parseAddress(address)
    }),
    { numRuns: 2_000 },
  )
})
