import { randomBytes, sign } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromHex } from '../../core/bytes.ts'
import { registerBytes } from '../../core/hub-protocol.ts'
import { loadProofChecker, type Proof, type ProofChecker, refuseProof } from '../../signal-server/proof.ts'
import { HubClient, proof, testKeys, type TestKeys } from './hub-client.ts'
import { startHub } from '../../signal-server/index.ts'
import { smallOrderKeys, withOrderAdded } from './bad-signatures.ts'

const hubName = 'wss://hub.example.com'
const names = { accepted: [hubName], dialedAs: [] }

interface Sample {
  keys: TestKeys
  challenge: Uint8Array
  /** Of another socket, which had its own. */
  otherChallenge: Uint8Array
  round: number
}

/** Each makes a registration that must not be accepted, or throws what it can't make. */
const forgeries: Record<string, (sample: Sample) => Proof> = {
  'another key': ({ keys, challenge }) => ({ ...signed(keys, hubName, challenge), key: testKeys().key }),
  'a flipped bit': ({ keys, challenge, round }) => {
    const good = signed(keys, hubName, challenge)
    const signature = Uint8Array.from(good.signature)
    const at = round % 512
    signature[at >> 3] = (signature[at >> 3] ?? 0) ^ (1 << (at & 7))
    return { ...good, signature }
  },
  'a signature that is cut': ({ keys, round }) => {
    const good = signedOnce(keys)
    return { ...good, signature: good.signature.subarray(0, round % 64) }
  },
  "another socket's challenge": ({ keys, challenge, otherChallenge }) => ({
    ...signed(keys, hubName, otherChallenge),
    challenge,
  }),
  'another hub': ({ keys, challenge }) => signed(keys, 'wss://other.example.com', challenge),
  'S that is not canonical': ({ keys, challenge }) => {
    const good = signed(keys, hubName, challenge)
    return { ...good, signature: withOrderAdded(good.signature) }
  },
  'a key of small order': ({ challenge, round }) => ({
    key: fromHex(smallOrderKeys[round % smallOrderKeys.length] ?? ''),
    signature: Uint8Array.from([1, ...new Uint8Array(63)]),
    challenge,
  }),
  'random bytes': ({ keys, challenge }) => ({
    key: keys.key,
    signature: new Uint8Array(randomBytes(64)),
    challenge,
  }),
}

/**
 * How often each: 100,000 in all. What a hub refuses without looking at the curve is cheap, and gets the most; the others
 * take some hundred microseconds each.
 */
const times: Record<string, number> = {
  'another key': 4_000,
  'a flipped bit': 7_000,
  'a signature that is cut': 36_000,
  "another socket's challenge": 5_000,
  'another hub': 4_000,
  'S that is not canonical': 9_000,
  'a key of small order': 30_000,
  'random bytes': 5_000,
}

describe('of 100,000 forged registrations', () => {
  let check: ProofChecker
  let keys = testKeys()
  beforeAll(async () => {
    check = await loadProofChecker()
  })

  it('are as many as that', () => {
    expect(Object.values(times).reduce((sum, each) => sum + each)).toBe(100_000)
    expect(Object.keys(times)).toEqual(Object.keys(forgeries))
  })

  it.each(Object.entries(forgeries))('none is accepted: %s', (what, forge) => {
    let accepted = 0
    for (let round = 0; round < (times[what] ?? 0); round += 1) {
      // A new key now and then: making one costs more than all the rest.
      if (round % 64 === 0) keys = testKeys()
      const sample = {
        keys,
        challenge: challengeOf(2 * round),
        otherChallenge: challengeOf(2 * round + 1),
        round,
      }
      if (refuseProof(check, forge(sample), names) === undefined) accepted += 1
    }
    expect(accepted).toBe(0)
    // The very same way of making one is accepted when nothing about it is wrong.
    expect(refuseProof(check, signed(keys, hubName, challengeOf(0)), names)).toBeUndefined()
  })
})

it('over real sockets none is accepted either, nor one that is sent again', async () => {
  const started = await startHub({ exemptLoopback: true })
  const replayed = new HubClient(started.url)
  const keys = testKeys()
  const good = proof(keys, started.hubName, (await replayed.next('welcome')).challenge)
  replayed.send(good)
  await replayed.next('registered')
  let refused = 0
  for (let round = 0; round < 10; round += 1) {
    for (const forge of Object.values(forgeries)) {
      const client = new HubClient(started.url)
      const { challenge } = await client.next('welcome')
      const sample = { keys, challenge, otherChallenge: challengeOf(round), round }
      for (const { key, signature } of [forge(sample), good]) {
        client.send({ type: 'register', key: new Uint8Array(key), signature: new Uint8Array(signature) })
        const answer = await client.next('error')
        expect(['BAD_SIGNATURE', 'INVALID', 'WRONG_HUB']).toContain(answer.code)
        refused += 1
      }
      client.socket.terminate()
    }
  }
  expect(refused).toBe(10 * 2 * Object.keys(forgeries).length)
  await replayed.leave()
  await started.close()
})

/** What is cut or has another S is refused before the message matters: any good signature will do. */
function signedOnce(keys: TestKeys): Proof {
  if (once?.key !== keys.key) once = signed(keys, hubName, challengeOf(0))
  return once
}
let once: Proof | undefined

function signed({ key, secret }: TestKeys, name: string, challenge: Uint8Array): Proof {
  return {
    key,
    challenge,
    signature: Uint8Array.from(sign(null, registerBytes(name, challenge, key), secret)),
  }
}

function challengeOf(number: number): Uint8Array {
  const challenge = new Uint8Array(32)
  new DataView(challenge.buffer).setUint32(0, number)
  return challenge
}
