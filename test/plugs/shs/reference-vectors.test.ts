import { readFileSync } from 'node:fs'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ByteReader } from '../../../core/byte-reader.ts'
import { concat, fromHex, toHex } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { MultiserverError } from '../../../core/errors.ts'
import { parseKeys } from '../../../plugs/key-pair.ts'
import { keysFromSeed } from '../../../plugs/keys.ts'
import { createNativeCrypto } from '../../../plugs/shs/crypto-native.ts'
import { createWasmCrypto } from '../../../plugs/shs/crypto-wasm.ts'
import type { ShsCrypto } from '../../../plugs/shs/crypto.ts'
import { shakeAsClient, shakeAsServer, type Session } from '../../../plugs/shs/handshake.ts'
import { loadNative } from '../../../plugs/secret/native.ts'
import { streamOf } from './helpers.ts'

/*
 * The vectors of the npm package `test-secret-handshake`: every call of a function of `secret-handshake/crypto` in
 * the tests of the reference, with what it was given and what it gave. The calls of one side of one handshake have
 * the one-time key of that side in common; here each side is run as a whole against what it was sent.
 */

/** Binary values as hex. */
type State = {
  app_key: string
  random: string
  seed?: string | null
  local: { kx_pk: string; kx_sk: string | null; publicKey: string; secretKey: string; app_mac: string }
  remote: { publicKey?: string; kx_pk?: string }
  secret?: string
  shash?: string
  encryptKey?: string
  decryptKey?: string
}
type Keys = { publicKey: string; secretKey: string }
type StateVector =
  | { name: 'createChallenge' | 'clientCreateAuth' | 'serverCreateAccept'; args: [State]; result: string }
  | { name: 'initialize' | 'clean'; args: [State]; result: State }
  | {
      name: 'verifyChallenge' | 'clientVerifyChallenge' | 'serverVerifyAuth' | 'clientVerifyAccept'
      args: [State, packet: string]
      result: State | null
    }
type Vector = StateVector | { name: 'toKeys'; args: [string | Keys]; result: Keys }

const [, ...lines] = readFileSync(
  new URL('../../vectors/test-secret-handshake.ndjson', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
const vectors = lines.map((line) => JSON.parse(line) as Vector)
const sides = groupBySide(vectors.filter(hasState))
const native = loadNative()
const backends: ShsCrypto[] = [createWasmCrypto(), ...(native ? [createNativeCrypto(native)] : [])]

beforeAll(() => sodium.ready)

it('are 159, of 34 sides of a handshake but for two that make keys', () => {
  expect(vectors).toHaveLength(159)
  expect(sides).toHaveLength(34)
  expect(sides.flat()).toHaveLength(157)
})

it.each(vectors.filter((vector) => vector.name === 'toKeys'))(
  'makes keys of %j',
  async ({ args, result }) => {
    const [given] = args
    const made =
      typeof given === 'string'
        ? await keysFromSeed(fromHex(given))
        : parseKeys({ publicKey: fromHex(given.publicKey), secretKey: fromHex(given.secretKey) })
    expect({ publicKey: toHex(made.publicKey), secretKey: toHex(made.secretKey) }).toEqual(result)
  },
)

describe.each(backends)('with $backend', (crypto) => {
  it.each(sides.map((side) => [nameOf(side), side] as const))('%s', async (_name, side) => {
    for (const vector of side) await checkState(crypto, vector)
    const { stream, outcome } = await run(crypto, side)

    const created = side.flatMap(({ result }) => (typeof result === 'string' ? [result] : []))
    expect(stream.written.map(toHex)).toEqual(created)

    const end = side.find(({ name }) => name === 'clean')?.result
    if (end === undefined) {
      // It was refused, it refused, or what it waits for did not come.
      expect(outcome).toBeInstanceOf(MultiserverError)
      return
    }
    const { encryptKey, decryptKey, remote } = end as State
    const { send, receive, remote: proved } = outcome as Session
    expect([toHex(send.key), toHex(receive.key), toHex(proved)]).toEqual([
      encryptKey,
      decryptKey,
      remote.publicKey,
    ])
  })
})

function hasState(vector: Vector): vector is StateVector {
  return vector.name !== 'toKeys'
}

function groupBySide(given: readonly StateVector[]): StateVector[][] {
  const groups = new Map<string, StateVector[]>()
  for (const vector of given) {
    const { kx_pk: oneTimeKey } = vector.args[0].local
    groups.set(oneTimeKey, [...(groups.get(oneTimeKey) ?? []), vector])
  }
  return [...groups.values()]
}

function isClient([first]: readonly StateVector[]): boolean {
  return first?.args[0].remote.publicKey !== undefined
}

function nameOf(side: readonly StateVector[]): string {
  const steps = side.map(({ name, result }) => `${name}${result === null ? ' says no' : ''}`)
  return `${isClient(side) ? 'a client' : 'a server'}: ${steps.join(', ')}`
}

/** Runs one side against the packets that it was given; after the last of them the far side hangs up. */
async function run(crypto: ShsCrypto, side: readonly StateVector[]) {
  const [{ args }] = side as [StateVector]
  const [{ app_key: appKey, local, remote }] = args
  // A client opens the challenge twice: verifyChallenge is called by clientVerifyChallenge.
  const packets = new Set(side.flatMap(({ args: [, packet] }) => packet ?? []))
  const stream = streamOf([concat(...[...packets].map(fromHex))])
  const wire = { reader: new ByteReader(stream), write: (chunk: Uint8Array) => stream.write(chunk) }
  const context = {
    crypto,
    appKey: fromHex(appKey),
    identity: createIdentity({
      publicKey: fromHex(local.publicKey),
      secretKey: fromHex(local.secretKey),
    }),
    ephemeral: fromHex(local.kx_sk ?? ''),
  }
  const isAuthorized = side.some(({ name }) => name === 'serverCreateAccept')
  const running =
    remote.publicKey === undefined
      ? shakeAsServer(wire, {
          ...context,
          authorize(key) {
            const verified = side.find(({ name }) => name === 'serverVerifyAuth')?.result as State
            expect(toHex(key)).toBe(verified.remote.publicKey)
            return isAuthorized ? Promise.resolve(true) : Promise.reject(new MultiserverError('AUTH_REFUSED'))
          },
        })
      : shakeAsClient(wire, fromHex(remote.publicKey), context)
  return { stream, outcome: await running.catch((error: unknown) => error) }
}

/** What a state has that a handshake keeps to itself. */
async function checkState(crypto: ShsCrypto, { name, args: [state], result }: StateVector): Promise<void> {
  const { app_key: appKey, local, remote, seed, random, secret, shash } = state
  const publicKey = fromHex(local.kx_pk)
  expect(toHex(crypto.hmac(fromHex(appKey), publicKey))).toBe(local.app_mac)
  if (name === 'initialize') {
    expect(result).toEqual(state)
    if (typeof seed === 'string')
      expect(toHex((await keysFromSeed(fromHex(seed))).publicKey)).toBe(local.publicKey)
    const basePoint = Uint8Array.of(9, ...new Uint8Array(31))
    const oneTime = createIdentity(await keysFromSeed(fromHex(random)))
    expect(toHex(await oneTime.dh(basePoint))).toBe(local.kx_pk)
  }
  if (local.kx_sk === null) return
  const secretKey = Uint8Array.from(fromHex(local.kx_sk))
  expect(toHex(crypto.createDhKeys(secretKey).publicKey)).toBe(local.kx_pk)
  if (remote.kx_pk === undefined || secret === undefined || shash === undefined) return
  const shared = crypto.dh(secretKey, fromHex(remote.kx_pk)) ?? new Uint8Array(0)
  expect(toHex(shared)).toBe(secret)
  expect(toHex(crypto.sha256(shared))).toBe(shash)
}
