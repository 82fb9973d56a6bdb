import { encodePeerMessage, type PeerMessage } from '../../core/hub-protocol.ts'
import { newId, proof, testKeys } from './hub-client.ts'

/** Numbers below 1 that a seed decides (mulberry32): a run that went wrong can be made again. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(random: () => number, choices: readonly T[]): T {
  const choice = choices[Math.floor(random() * choices.length)]
  if (choice === undefined) throw new RangeError('there is nothing to choose from')
  return choice
}

/** A text that no peer of ours would send, or not now. */
export function hostileText(random: () => number): string {
  return pick(random, kinds)(random)
}

const kinds: readonly ((random: () => number) => string)[] = [
  cutShort,
  withNoise,
  hostileKeys,
  tooDeep,
  wrongType,
  outOfOrder,
  (random) => pick(random, notObjects),
]

const notObjects = [
  '',
  ' ',
  'null',
  '0',
  '1e999',
  '"x"',
  '[]',
  '{',
  '}',
  '[[[',
  '\u{feff}{}',
  '\0',
  '{}{}',
  '{"type":}',
  'NaN',
]

const hostileNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  '',
  '\u{d800}',
  'x'.repeat(10_000),
]

const hostileValues: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  '',
  'x',
  '\u{d800}',
  '\0',
  'A'.repeat(16_384),
  'A'.repeat(16_385),
  '____',
  [],
  {},
  [[]],
  { toString: 'x' },
  { length: 43 },
]

function aMessage(random: () => number): PeerMessage {
  const id = newId()
  return pick<() => PeerMessage>(random, [
    () => proof(testKeys(), 'ws://localhost', new Uint8Array(32)),
    () => ({ type: 'record', record: new Uint8Array(100) }),
    () => ({ type: 'introduce', id, to: testKeys().key }),
    () => ({ type: 'signal', id, data: 'x' }),
    () => ({ type: 'relay', id }),
    () => ({ type: 'close', id, reason: 'x' }),
  ])()
}

function cutShort(random: () => number): string {
  const text = encodePeerMessage(aMessage(random))
  return text.slice(0, Math.floor(random() * text.length))
}

function withNoise(random: () => number): string {
  const characters = Array.from(encodePeerMessage(aMessage(random)))
  for (let changes = 1 + random() * 5; changes > 0; changes -= 1) {
    characters[Math.floor(random() * characters.length)] = String.fromCharCode(random() * 0x250)
  }
  return characters.join('')
}

function hostileKeys(random: () => number): string {
  const name = JSON.stringify(pick(random, hostileNames))
  const polluting = '{"polluted":true,"type":"introduce","toString":1}'
  return pick(random, [
    `{${name}:${polluting},"type":"signal"}`,
    `{"type":${name},"id":"${newId()}"}`,
    `{"type":{${name}:${polluting}}}`,
    `{"constructor":{"prototype":${polluting}},"type":"close"}`,
    `{"type":"signal","type":${name},"id":${name},"data":${polluting}}`,
  ])
}

function tooDeep(random: () => number): string {
  const depth = Math.floor(random() * 10_000)
  return random() < 0.5
    ? `{"type":"signal","id":${'['.repeat(depth)}${']'.repeat(depth)}}`
    : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
}

function wrongType(random: () => number): string {
  const raw = JSON.parse(encodePeerMessage(aMessage(random))) as Record<string, unknown>
  raw[pick(random, Object.keys(raw))] = pick(random, hostileValues)
  return JSON.stringify(raw)
}

function outOfOrder(random: () => number): string {
  return encodePeerMessage(aMessage(random))
}
