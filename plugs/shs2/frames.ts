import { BufferPool } from '../../core/buffer-pool.ts'
import { MultiserverError } from '../../core/errors.ts'
import { TAG_BYTES, type CipherState } from '../../core/noise.ts'
import type { Bytes } from '../../core/types.ts'
import { UnitCutter } from '../secret/unit-cutter.ts'
import type { FrameOpener, FrameSealer } from '../secret/frame-stream.ts'

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
/** The largest message of Noise, less its tag. */
const maxBodyBytes = 65_535 - TAG_BYTES
/** So many operations have one key. */
const operationsPerKey = 65_536
/** How much is opened at a time: a frame, or many small ones. */
const batchBytes = 64 * 1024

/** Below this a frame has memory of its own: a few bytes shall not hold the room of thousands. */
const leastPooledBytes = 16 * 1024
/** For frames that are under way: a stream has one at a time, and few streams are busy at once. */
const pool = new BufferPool(sealedLengthBytes + maxBodyBytes + TAG_BYTES, 16)

/** Turns plaintext into frames, one at a time. */
export class Shs2Sealer implements FrameSealer {
  readonly #cipher: CipherState
  readonly #length = new Uint8Array(lengthBytes)

  constructor(cipher: CipherState) {
    this.#cipher = cipher
  }

  seal(plain: Uint8Array, start: number): { frames: Bytes; next: number } {
    const next = Math.min(plain.length, start + maxBodyBytes)
    const bodyBytes = next - start
    const length = sealedLengthBytes + bodyBytes + TAG_BYTES
    const frames = length < leastPooledBytes ? new Uint8Array(length) : pool.take().subarray(0, length)
    this.#sealLength(frames.subarray(0, sealedLengthBytes), bodyBytes)
    this.#seal(frames.subarray(sealedLengthBytes), plain.subarray(start, next))
    return { frames, next }
  }

  reuse(frames: Bytes): void {
    if (frames.length >= leastPooledBytes) pool.give(new Uint8Array(frames.buffer))
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
export class Shs2Opener implements FrameOpener {
  readonly #cipher: CipherState
  readonly #cutter = new UnitCutter(maxBodyBytes + TAG_BYTES)
  readonly #length = new Uint8Array(lengthBytes)
  /** Of the body that comes next, undefined when a length does. */
  #bodyBytes: number | undefined
  #ending: 'goodbye' | MultiserverError | undefined

  constructor(cipher: CipherState) {
    this.#cipher = cipher
  }

  get ending(): 'goodbye' | MultiserverError | undefined {
    return this.#ending
  }

  push(chunk: Bytes): void {
    this.#cutter.push(chunk)
  }

  open(): Bytes | null {
    let out: Bytes | undefined
    let filled = 0
    while (this.#ending === undefined) {
      if (this.#bodyBytes === undefined && !this.#openLength()) break
      const bodyBytes = this.#bodyBytes ?? 0
      if (out !== undefined && filled + bodyBytes > out.length) break
      const sealed = this.#cutter.take(bodyBytes + TAG_BYTES)
      if (sealed === null) break
      // No frame has more plaintext than it has bytes, so what is here fits, as far as it is opened now.
      out ??= new Uint8Array(Math.min(batchBytes, bodyBytes + this.#cutter.available))
      if (!this.#open(out.subarray(filled, filled + bodyBytes), sealed)) break
      filled += bodyBytes
      this.#bodyBytes = undefined
    }
    if (out === undefined || filled === 0) return null
    // A view of a much larger buffer would keep all of it in memory.
    return filled < out.length / 2 ? out.slice(0, filled) : out.subarray(0, filled)
  }

  wipe(): void {
    this.#cipher.wipe()
  }

  /** False without a whole length, and when it is the end. */
  #openLength(): boolean {
    const sealed = this.#cutter.take(sealedLengthBytes)
    if (sealed === null || !this.#open(this.#length, sealed)) return false
    const [high = 0, low = 0] = this.#length
    const length = high * 256 + low
    if (length === 0) this.#end('goodbye')
    else if (length > maxBodyBytes) {
      this.#end(new MultiserverError('PROTOCOL', `a shs2 frame of ${length} bytes is too long`))
    } else this.#bodyBytes = length
    return this.#ending === undefined
  }

  #open(out: Uint8Array, sealed: Uint8Array): boolean {
    rekeyWhenDue(this.#cipher)
    if (this.#cipher.decryptInto(out, sealed)) return true
    this.#end(new MultiserverError('PROTOCOL', 'a shs2 frame was forged or damaged'))
    return false
  }

  #end(ending: 'goodbye' | MultiserverError): void {
    this.#ending = ending
    this.wipe()
  }
}

/** Before the operation with a nonce that is a multiple of 65,536, but for the first: it may be a body's. */
function rekeyWhenDue(cipher: CipherState): void {
  if (cipher.nonce > 0 && cipher.nonce % operationsPerKey === 0) cipher.rekey()
}
