import { BufferPool } from '../../core/buffer-pool.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'
import { InPlaceOpener, type FrameEnding } from '../secret/in-place-opener.ts'
import type { ShsCrypto } from './crypto.ts'
import type { FrameKey } from './handshake.ts'

/*
 * The frames of box-stream, as the npm package `pull-box-stream` has them:
 *
 *   Box[N](length(2) | MAC of the body(16))    34 bytes
 *   body, boxed under N + 1 without its MAC    length bytes, at most 4,096
 *
 * N is a nonce of 24 bytes, big-endian, and goes on by two with each frame. A head of 18 zeros is goodbye.
 */

const headBytes = 2 + 16
const boxedHeadBytes = 16 + headBytes
/** Everybody sends at most this much; the reference reads more, others do not. */
const maxBodyBytes = 4096
/** How much is sealed, or opened, at a time: sixteen full bodies. */
const batchBytes = 16 * maxBodyBytes

/** Below this a batch has memory of its own: a message of a few bytes shall not hold the room of thousands. */
const leastPooledBytes = 16 * 1024
/** For batches that are under way: a stream has one at a time, and few streams are busy at once. */
const batches = new BufferPool(batchBytes + 16 * boxedHeadBytes, 16)

/** Where heads are made and looked at, within a call: not worth their memory in each of thousands of idle streams. */
const head = new Uint8Array(headBytes)
const headBodyMac = head.subarray(2)
const boxedHead = new Uint8Array(boxedHeadBytes)
const boxedHeadMac = boxedHead.subarray(0, 16)
const boxedHeadCipher = boxedHead.subarray(16)
const bodyNonce = new Uint8Array(24)

/** Turns plaintext into frames. */
export class FrameSealer {
  readonly #crypto: ShsCrypto
  readonly #key: Bytes
  readonly #nonce: Bytes

  constructor(crypto: ShsCrypto, { key, nonce }: FrameKey) {
    this.#crypto = crypto
    this.#key = key
    this.#nonce = nonce
  }

  /** The frames of the next batch of `plain`, from `start` on, and where the batch after it starts. */
  seal(plain: Uint8Array, start: number): { frames: Bytes; next: number } {
    const next = Math.min(plain.length, start + batchBytes)
    const count = Math.ceil((next - start) / maxBodyBytes)
    const length = count * boxedHeadBytes + next - start
    const frames = length < leastPooledBytes ? new Uint8Array(length) : batches.take().subarray(0, length)
    let at = 0
    for (let from = start; from < next; from += maxBodyBytes) {
      const body = plain.subarray(from, Math.min(from + maxBodyBytes, next))
      this.#sealFrame(frames, at, body)
      at += boxedHeadBytes + body.length
    }
    return { frames, next }
  }

  /** Takes back frames that nobody reads any more. May be left out, as where a write of them has failed. */
  reuse(frames: Bytes): void {
    if (frames.length >= leastPooledBytes) batches.give(new Uint8Array(frames.buffer))
  }

  /** The last head; nothing may be sealed after it. */
  sealGoodbye(): Bytes {
    head.fill(0)
    this.#sealHead()
    this.wipe()
    return boxedHead.slice()
  }

  wipe(): void {
    this.#key.fill(0)
  }

  #sealFrame(frames: Bytes, at: number, body: Uint8Array): void {
    const bodyAt = at + boxedHeadBytes
    const cipher = frames.subarray(bodyAt, bodyAt + body.length)
    bodyNonce.set(this.#nonce)
    increment(bodyNonce)
    this.#crypto.seal(cipher, headBodyMac, body, bodyNonce, this.#key)
    head[0] = body.length >> 8
    head[1] = body.length & 0xff
    this.#sealHead()
    frames.set(boxedHead, at)
    increment(bodyNonce)
    this.#nonce.set(bodyNonce)
  }

  #sealHead(): void {
    this.#crypto.seal(boxedHeadCipher, boxedHeadMac, head, this.#nonce, this.#key)
  }
}

/** Turns frames, cut anyhow, into plaintext. */
export class FrameOpener extends InPlaceOpener {
  readonly #crypto: ShsCrypto
  readonly #key: Bytes
  readonly #nonce: Bytes
  /** From a head for the body behind it. */
  readonly #bodyMac = new Uint8Array(16)

  constructor(crypto: ShsCrypto, { key, nonce }: FrameKey) {
    super({ headBytes: boxedHeadBytes, tagBytes: 0 })
    this.#crypto = crypto
    this.#key = key
    this.#nonce = nonce
  }

  wipe(): void {
    this.#key.fill(0)
  }

  protected override openHead(boxed: Bytes): number | FrameEnding {
    boxedHead.set(boxed)
    if (!this.#crypto.open(head, boxedHeadCipher, boxedHeadMac, this.#nonce, this.#key)) {
      return new MultiserverError('PROTOCOL', 'a box-stream head was forged or damaged')
    }
    if (head.every((byte) => byte === 0)) return 'goodbye'
    const [high = 0, low = 0] = head
    const length = high * 256 + low
    if (length > maxBodyBytes) {
      return new MultiserverError('PROTOCOL', `a box-stream body of ${length} bytes is too long`)
    }
    this.#bodyMac.set(headBodyMac)
    increment(this.#nonce)
    return length
  }

  protected override openBody(body: Bytes): MultiserverError | undefined {
    if (!this.#crypto.open(body, body, this.#bodyMac, this.#nonce, this.#key)) {
      return new MultiserverError('PROTOCOL', 'a box-stream body was forged or damaged')
    }
    increment(this.#nonce)
    return undefined
  }
}

function increment(nonce: Bytes): void {
  for (let index = nonce.length - 1; index >= 0; index--) {
    const byte = ((nonce[index] ?? 0) + 1) & 0xff
    nonce[index] = byte
    if (byte !== 0) return
  }
}
