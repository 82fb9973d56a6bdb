import { createCipheriv, randomBytes } from 'node:crypto'
import { loadNative } from '../../plugs/secret/native.ts'
import type { Contestant } from '../contestant.ts'

const macBytes = 16
const shsBodyBytes = 4096
const shsHeadBytes = 18

/**
 * The ciphers alone, in one process, without a socket: what one core can seal of what shs and shs2 send. No byte leaves
 * it; it bounds what a sender, and as the receiver opens at the same speed, what a pair of processes can do.
 */
export const boxes = createAlone(() => {
  const sodium = loadNative()
  if (sodium === undefined) throw new Error('sodium-native is not installed here')
  const key = randomBytes(32)
  const nonce = randomBytes(24)
  const head = Buffer.alloc(shsHeadBytes)
  const sealedHead = Buffer.alloc(shsHeadBytes)
  const sealed = Buffer.alloc(shsBodyBytes)
  const mac = Buffer.alloc(macBytes)
  return (chunk) => {
    for (let at = 0; at < chunk.length; at += shsBodyBytes) {
      const body = chunk.subarray(at, at + shsBodyBytes)
      sodium.crypto_secretbox_detached(sealed.subarray(0, body.length), mac, body, nonce, key)
      sodium.crypto_secretbox_detached(sealedHead, mac, head, nonce, key)
    }
  }
})

/** ChaCha20-Poly1305 of node:crypto in messages of shs2's length. */
export const chaCha = createAlone(() => {
  const key = randomBytes(32)
  const nonce = randomBytes(12)
  return (chunk) => {
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: macBytes })
    cipher.update(chunk)
    cipher.final()
    cipher.getAuthTag()
  }
})

function createAlone(makeSeal: () => (chunk: Buffer) => void): Contestant {
  return {
    serve: () => Promise.resolve({ address: 'nowhere', close: () => Promise.resolve() }),
    dial() {
      const seal = makeSeal()
      const done = () => Promise.resolve()
      const write = (chunk: Uint8Array) => {
        seal(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
        return Promise.resolve()
      }
      return Promise.resolve({ write, end: done, answer: done, close: done })
    },
  }
}
