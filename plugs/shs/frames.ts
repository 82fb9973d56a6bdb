import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'
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

const noBytes: Bytes = new Uint8Array(0)

/** Turns plaintext into frames. */
export class FrameSealer {
  readonly #crypto: ShsCrypto
  readonly #key: Bytes
  readonly #headNonce: Bytes
  readonly #bodyNonce: Bytes
  readonly #head = new Uint8Array(headBytes)
  readonly #bodyMac = this.#head.subarray(2)
  readonly #boxedHead = new Uint8Array(boxedHeadBytes)
  readonly #headMac = this.#boxedHead.subarray(0, 16)
  readonly #headCipher = this.#boxedHead.subarray(16)

  constructor(crypto: ShsCrypto, { key, nonce }: FrameKey) {
    this.#crypto = crypto
    this.#key = key
    this.#headNonce = nonce
    this.#bodyNonce = nonce.slice()
    increment(this.#bodyNonce)
  }

  /** The frames of the next batch of `plain`, from `start` on, and where the batch after it starts. */
  seal(plain: Uint8Array, start: number): { frames: Bytes; next: number } {
    const next = Math.min(plain.length, start + batchBytes)
    const count = Math.ceil((next - start) / maxBodyBytes)
    const frames = new Uint8Array(count * boxedHeadBytes + next - start)
    let at = 0
    for (let from = start; from < next; from += maxBodyBytes) {
      const body = plain.subarray(from, Math.min(from + maxBodyBytes, next))
      this.#sealFrame(frames, at, body)
      at += boxedHeadBytes + body.length
    }
    return { frames, next }
  }

  /** The last head; nothing may be sealed after it. */
  sealGoodbye(): Bytes {
    this.#head.fill(0)
    this.#crypto.seal(this.#headCipher, this.#headMac, this.#head, this.#headNonce, this.#key)
    this.wipe()
    return this.#boxedHead
  }

  wipe(): void {
    this.#key.fill(0)
  }

  #sealFrame(frames: Bytes, at: number, body: Uint8Array): void {
    const bodyAt = at + boxedHeadBytes
    const cipher = frames.subarray(bodyAt, bodyAt + body.length)
    this.#crypto.seal(cipher, this.#bodyMac, body, this.#bodyNonce, this.#key)
    this.#head[0] = body.length >> 8
    this.#head[1] = body.length & 0xff
    this.#crypto.seal(this.#headCipher, this.#headMac, this.#head, this.#headNonce, this.#key)
    frames.set(this.#boxedHead, at)
    for (const nonce of [this.#headNonce, this.#bodyNonce]) {
      increment(nonce)
      increment(nonce)
    }
  }
}

/** Turns frames, cut anyhow, into plaintext. The first fault is the end: nothing after it is opened. */
export class FrameOpener {
  readonly #crypto: ShsCrypto
  readonly #key: Bytes
  readonly #nonce: Bytes
  readonly #head = new Uint8Array(headBytes)
  readonly #bodyMac = this.#head.subarray(2)
  /** The beginning of a head or body whose rest has not come; most connections are idle and have none. */
  #partial: Bytes | undefined
  #partialBytes = 0
  #chunk: Uint8Array = noBytes
  #at = 0
  #expects: 'head' | 'body' = 'head'
  #need = boxedHeadBytes
  #ending: 'goodbye' | MultiserverError | undefined

  constructor(crypto: ShsCrypto, { key, nonce }: FrameKey) {
    this.#crypto = crypto
    this.#key = key
    this.#nonce = nonce
  }

  /** How it ended: by goodbye or by the fault. What was opened before can still be taken. */
  get ending(): 'goodbye' | MultiserverError | undefined {
    return this.#ending
  }

  /** The next bytes of the stream; to be given when `open` has answered null. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The plaintext of the frames that are here, joined up to 64 KiB; null when there is none without more bytes. */
  open(): Bytes | null {
    const here = this.#partialBytes + this.#chunk.length - this.#at
    if (here < this.#need || this.#ending !== undefined) {
      this.#keepPartial()
      return null
    }
    // No frame has more plaintext than it has bytes, so all that is opened here fits.
    const out = new Uint8Array(Math.min(here, batchBytes))
    let filled = 0
    while (this.#ending === undefined) {
      if (this.#expects === 'body' && filled + this.#need > batchBytes) break
      const unit = this.#takeUnit()
      if (unit === null) break
      if (this.#expects === 'head') this.#openHead(unit)
      else filled += this.#openBody(unit, out.subarray(filled, filled + unit.length))
    }
    if (filled === 0) return null
    // A view of a much larger buffer would keep all of it in memory.
    return filled < out.length / 2 ? out.slice(0, filled) : out.subarray(0, filled)
  }

  wipe(): void {
    this.#key.fill(0)
  }

  #openHead(unit: Uint8Array): void {
    if (!this.#crypto.open(this.#head, unit.subarray(16), unit.subarray(0, 16), this.#nonce, this.#key)) {
      return this.#end(new MultiserverError('PROTOCOL', 'a box-stream head was forged or damaged'))
    }
    if (this.#head.every((byte) => byte === 0)) return this.#end('goodbye')
    const [high = 0, low = 0] = this.#head
    const length = high * 256 + low
    if (length > maxBodyBytes) {
      return this.#end(new MultiserverError('PROTOCOL', `a box-stream body of ${length} bytes is too long`))
    }
    increment(this.#nonce)
    this.#expects = 'body'
    this.#need = length
  }

  #openBody(unit: Uint8Array, out: Uint8Array): number {
    if (!this.#crypto.open(out, unit, this.#bodyMac, this.#nonce, this.#key)) {
      this.#end(new MultiserverError('PROTOCOL', 'a box-stream body was forged or damaged'))
      return 0
    }
    increment(this.#nonce)
    this.#expects = 'head'
    this.#need = boxedHeadBytes
    return unit.length
  }

  #end(ending: 'goodbye' | MultiserverError): void {
    this.#ending = ending
    this.wipe()
  }

  /** The next `need` bytes in one piece, or null when they are not all here. */
  #takeUnit(): Uint8Array | null {
    const need = this.#need
    const missing = need - this.#partialBytes
    if (this.#chunk.length - this.#at < missing) {
      this.#keepPartial()
      return null
    }
    const rest = this.#chunk.subarray(this.#at, this.#at + missing)
    this.#at += missing
    if (this.#partialBytes === 0) return rest
    const whole = (this.#partial ??= new Uint8Array(maxBodyBytes))
    whole.set(rest, this.#partialBytes)
    this.#partialBytes = 0
    this.#partial = undefined
    return whole.subarray(0, need)
  }

  /** Moves what is left of the chunk, which is less than a unit, to where the rest will join it. */
  #keepPartial(): void {
    if (this.#ending === undefined) {
      const rest = this.#chunk.subarray(this.#at)
      if (rest.length > 0) {
        this.#partial ??= new Uint8Array(maxBodyBytes)
        this.#partial.set(rest, this.#partialBytes)
        this.#partialBytes += rest.length
      }
    }
    this.push(noBytes)
  }
}

function increment(nonce: Bytes): void {
  for (let index = nonce.length - 1; index >= 0; index--) {
    const byte = ((nonce[index] ?? 0) + 1) & 0xff
    nonce[index] = byte
    if (byte !== 0) return
  }
}
