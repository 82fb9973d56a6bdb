import { describe, expect, it } from 'vitest'
import { fromHex } from '../../core/bytes.ts'
import { registerBytes } from '../../core/hub-protocol.ts'
import { loadProofChecker, refuseProof } from '../../signal-server/proof.ts'
import { smallOrderKeys, withOrderAdded } from './bad-signatures.ts'
import { proof, testKeys } from './hub-client.ts'

const hubName = 'wss://hub.example.com'
const challenge = new Uint8Array(32).fill(7)
const names = { accepted: ['wss://other.example.com', hubName], dialedAs: ['ws://dialed.example.com'] }

describe('a proof', () => {
  it('is accepted for any name of the hub, and for no other', async () => {
    const check = await loadProofChecker()
    for (const name of names.accepted) {
      expect(refuseProof(check, { ...proof(testKeys(), name, challenge), challenge }, names)).toBeUndefined()
    }
    const code = (name: string) =>
      refuseProof(check, { ...proof(testKeys(), name, challenge), challenge }, names)?.code
    expect(code('ws://dialed.example.com')).toBe('WRONG_HUB')
    expect(code('wss://evil.example.com')).toBe('BAD_SIGNATURE')
  })

  it('is refused when any byte of it is another', async () => {
    const check = await loadProofChecker()
    const good = { ...proof(testKeys(), hubName, challenge), challenge }
    for (const field of ['key', 'signature', 'challenge'] as const) {
      for (const [index, byte] of good[field].entries()) {
        const bytes = Uint8Array.from(good[field])
        bytes[index] = byte ^ 1
        expect(refuseProof(check, { ...good, [field]: bytes }, names)?.code).toBe('BAD_SIGNATURE')
      }
    }
  })

  it('is refused when S is not canonical, although the equation holds', async () => {
    const check = await loadProofChecker()
    const good = proof(testKeys(), hubName, challenge)
    const message = registerBytes(hubName, challenge, good.key)
    expect(check(good.signature, message, good.key)).toBe(true)
    expect(check(withOrderAdded(good.signature), message, good.key)).toBe(false)
  })

  it.each(smallOrderKeys)('is refused for the small-order key %s, which signs everything', async (hex) => {
    const check = await loadProofChecker()
    const key = fromHex(hex)
    const identity = Uint8Array.from({ length: 64 }, (_, index) => (index === 0 ? 1 : 0))
    const own = Uint8Array.from([...key, ...new Uint8Array(32)])
    for (const signature of [identity, own]) {
      for (let round = 0; round < 16; round += 1) {
        const message = registerBytes(hubName, new Uint8Array(32).fill(round), key)
        expect(check(signature, message, key)).toBe(false)
      }
    }
  })

  it('is refused for keys and signatures of another length', async () => {
    const check = await loadProofChecker()
    const { key, signature } = proof(testKeys(), hubName, challenge)
    expect(check(signature.subarray(1), challenge, key)).toBe(false)
    expect(check(signature, challenge, key.subarray(1))).toBe(false)
    expect(check(new Uint8Array(), challenge, new Uint8Array())).toBe(false)
  })
})
