import { ready, verifySignature } from '../core/ed25519.ts'
import { registerBytes } from '../core/hub-protocol.ts'

/** Whether `signature` over `message` is by `publicKey`. Never throws. */
export type ProofChecker = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean

export interface Proof {
  key: Uint8Array
  signature: Uint8Array
  challenge: Uint8Array
}

export interface ProofNames {
  /** The names of this hub. */
  accepted: readonly string[]
  /** Names that the request says it was dialed by; anybody can write anything there. */
  dialedAs: readonly string[]
}

export interface ProofRefusal {
  code: 'BAD_SIGNATURE' | 'WRONG_HUB'
  message: string
}

/** Resolves to the strict checker, once libsodium is there. */
export async function loadProofChecker(): Promise<ProofChecker> {
  await ready()
  return verifySignature
}

/**
 * Why a proof does not register, undefined when it does. The message does not say which name was signed, so
 * each accepted one is tried. A proof that fits only the name the peer seems to have dialed is refused like any
 * other, but as WRONG_HUB: the operator forgot that name, or somebody between passes the challenge on.
 */
export function refuseProof(check: ProofChecker, proof: Proof, names: ProofNames): ProofRefusal | undefined {
  const isFor = (name: string) =>
    check(proof.signature, registerBytes(name, proof.challenge, proof.key), proof.key)
  if (names.accepted.some(isFor)) return undefined
  const dialed = names.dialedAs.find((name) => !names.accepted.includes(name) && isFor(name))
  return dialed === undefined
    ? { code: 'BAD_SIGNATURE', message: 'the signature is not of this key for this hub and challenge' }
    : { code: 'WRONG_HUB', message: `this hub is not ${dialed}, which was signed for` }
}
