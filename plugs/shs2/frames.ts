import { BufferPool } from '../../core/buffer-pool.ts'
import { MultiserverError } from '../../core/errors.ts'
import { TAG_BYTES, type CipherState } from '../../core/noise.ts'
import type { Bytes } from '../../core/types.ts'
import { InPlaceOpener, type FrameEnding } from '../secret/in-place-opener.ts'
import type { FrameSealer } from '../secret/frame-stream.ts'

/*
 * The frames of shs2, with the cipher states that the handshake leaves. Associated data is empty; the nonce counts
 * every operation.
 *
 *   AEAD(length, 2 bytes, big-endian)    18 bytes
 *   AEAD(body)                           length + 16 bytes; length is 1 to 65,519
 *
 * Length 0 is goodbye: no body follows, and nothing after it.
 */

const lengthBytes = 2
const sealedLengthBytes = lengthBytes + TAG_BYTES
/** What a frame has beside its body. */
const frameOverheadBytes = sealedLengthBytes + TAG_BYTES
/** The largest message of Noise, less its tag. */
const maxBodyBytes = 65_535 - TAG_BYTES
/**
 * What a body of ours has at most: four of them fill what a socket reads at a time, and most are opened where they lie,
 * where one of the largest would always have to be put together first.
 */
const usualBodyBytes = 16 * 1024
/** So many operations have one key. */
const operationsPerKey = 65_536
/** How much is sealed at a time. */
const batchBytes = 64 * 1024

/** Below this a batch has memory of its own: a few bytes shall not hold the room of thousands. */
const leastPooledBytes = 16 * 1024
/** For batches that are under way: a stream has one at a time, and few streams are busy at once. */
const pool = new BufferPool(batchBytes + 4 * frameOverheadBytes, 16)

/** Turns plaintext into frames. */
export class Shs2Sealer implements FrameSealer {
  readonly #cipher: CipherState
  readonly #bodyBytes: number
  readonly #length = new Uint8Array(lengthBytes)

  /** @param bodyBytes of a frame, at most @default 16,384 */
  constructor(cipher: CipherState, bodyBytes: number = usualBodyBytes) {
    this.#cipher = cipher
    this.#bodyBytes = bodyBytes
  }

  seal(plain: Uint8Array, start: number): { frames: Bytes; next: number } {
    const next = Math.min(plain.length, start + Math.max(batchBytes, this.#bodyBytes))
    const count = Math.ceil((next - start) / this.#bodyBytes)
    const frames = takeMemory(count * frameOverheadBytes + next - start)
    let at = 0
    for (let from = start; from < next; from += this.#bodyBytes) {
      const body = plain.subarray(from, Math.min(from + this.#bodyBytes, next))
      this.#sealLength(frames.subarray(at, at + sealedLengthBytes), body.length)
      at += sealedLengthBytes
      this.#seal(frames.subarray(at, at + body.length + TAG_BYTES), body)
      at += body.length + TAG_BYTES
    }
    return { frames, next }
  }

  reuse(frames: Bytes): void {
    if (isPooled(frames.length)) pool.give(new Uint8Array(frames.buffer))
  }

  sealGoodbye(): Bytes {
    const frame = new Uint8Array(sealedLengthBytes)
    this.#sealLength(frame, 0)
    this.wipe()
    return frame
  }

  wipe(): void {
    this.#cipher.wipe()
  }

  #sealLength(out: Bytes, length: number): void {
    this.#length[0] = length >> 8
    this.#length[1] = length & 0xff
    this.#seal(out, this.#length)
  }

  #seal(out: Bytes, plain: Uint8Array): void {
    rekeyWhenDue(this.#cipher)
    this.#cipher.encryptInto(out, plain)
  }
}

/** Turns frames, cut anyhow, into plaintext. */
export class Shs2Opener extends InPlaceOpener {
  readonly #cipher: CipherState
  readonly #length = new Uint8Array(lengthBytes)

  constructor(cipher: CipherState) {
    super({ headBytes: sealedLengthBytes, tagBytes: TAG_BYTES })
    this.#cipher = cipher
  }

  wipe(): void {
    this.#cipher.wipe()
  }

  protected override openHead(sealed: Bytes): number | FrameEnding {
    const fault = this.#open(this.#length, sealed)
    if (fault !== undefined) return fault
    const [high = 0, low = 0] = this.#length
    const length = high * 256 + low
    if (length === 0) return 'goodbye'
    return length <= maxBodyBytes
      ? length
      : new MultiserverError('PROTOCOL', `a shs2 frame of ${length} bytes is too long`)
  }

  protected override openBody(sealed: Bytes): MultiserverError | undefined {
    return this.#open(sealed.subarray(0, -TAG_BYTES), sealed)
  }

  #open(out: Uint8Array, sealed: Uint8Array): MultiserverError | undefined {
    rekeyWhenDue(this.#cipher)
    if (this.#cipher.decryptInto(out, sealed)) return undefined
    return new MultiserverError('PROTOCOL', 'a shs2 frame was forged or damaged')
  }
}

/** Before the operation with a nonce that is a multiple of 65,536, but for the first: it may be a body's. */
function rekeyWhenDue(cipher: CipherState): void {
  if (cipher.nonce > 0 && cipher.nonce % operationsPerKey === 0) cipher.rekey()
}

function isPooled(length: number): boolean {
  return length >= leastPooledBytes && length <= pool.bufferBytes
}

function takeMemory(length: number): Bytes {
  return isPooled(length) ? pool.take().subarray(0, length) : new Uint8Array(length)
}
