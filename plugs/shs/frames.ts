import { BufferPool } from '../../core/buffer-pool.ts'
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

/** Below this a batch has memory of its own: a message of a few bytes shall not hold the room of thousands. */
const leastPooledBytes = 16 * 1024
/** For batches that are under way: a stream has one at a time, and few streams are busy at once. */
const batches = new BufferPool(batchBytes + 16 * boxedHeadBytes, 16)

const noBytes: Bytes = new Uint8Array(0)

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

/**
 * Turns frames, cut anyhow, into plaintext. The first fault is the end: nothing after it is opened. Bodies are opened
 * where they lie and moved together, so plaintext takes no memory beside that of the chunks.
 */
export class FrameOpener {
  readonly #crypto: ShsCrypto
  readonly #key: Bytes
  readonly #nonce: Bytes
  #chunk: Bytes = noBytes
  #at = 0
  #expects: 'head' | 'body' = 'head'
  #need = boxedHeadBytes
  /** From a head for the body behind it. */
  readonly #bodyMac = new Uint8Array(16)
  /** The beginning of a head or body whose rest has not come; most connections are idle and have none. */
  #partial: Bytes | undefined
  #partialBytes = 0
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

  /** The next bytes of the stream, to be given when `open` has answered null. Their memory becomes the plaintext's. */
  push(chunk: Bytes): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The plaintext of the frames that are here, joined up to 64 KiB; null when there is none without more bytes. */
  open(): Bytes | null {
    const chunk = this.#chunk
    const start = this.#at
    let end = start
    while (
      this.#ending === undefined &&
      !(this.#expects === 'body' && end - start + this.#need > batchBytes)
    ) {
      const unit = this.#takeUnit()
      if (unit === null) break
      if (this.#expects === 'head') this.#openHead(unit)
      else if (this.#openBody(unit)) {
        // One that was cut lies apart from the chunk, and comes before all that is in it.
        if (unit.buffer !== chunk.buffer) return unit
        chunk.copyWithin(end, this.#at - unit.length, this.#at)
        end += unit.length
      }
    }
    if (end === start) return null
    // A view of a much larger buffer would keep all of it in memory.
    return end - start < chunk.buffer.byteLength / 2 ? chunk.slice(start, end) : chunk.subarray(start, end)
  }

  wipe(): void {
    this.#key.fill(0)
  }

  #openHead(unit: Bytes): void {
    boxedHead.set(unit)
    if (!this.#crypto.open(head, boxedHeadCipher, boxedHeadMac, this.#nonce, this.#key)) {
      return this.#end(new MultiserverError('PROTOCOL', 'a box-stream head was forged or damaged'))
    }
    if (head.every((byte) => byte === 0)) return this.#end('goodbye')
    const [high = 0, low = 0] = head
    const length = high * 256 + low
    if (length > maxBodyBytes) {
      return this.#end(new MultiserverError('PROTOCOL', `a box-stream body of ${length} bytes is too long`))
    }
    this.#bodyMac.set(headBodyMac)
    increment(this.#nonce)
    this.#expects = 'body'
    this.#need = length
  }

  /** Puts the plaintext in the place of `unit`. */
  #openBody(unit: Bytes): boolean {
    if (!this.#crypto.open(unit, unit, this.#bodyMac, this.#nonce, this.#key)) {
      this.#end(new MultiserverError('PROTOCOL', 'a box-stream body was forged or damaged'))
      return false
    }
    increment(this.#nonce)
    this.#expects = 'head'
    this.#need = boxedHeadBytes
    return true
  }

  #end(ending: 'goodbye' | MultiserverError): void {
    this.#ending = ending
    this.wipe()
    this.push(noBytes)
  }

  /** The next `need` bytes in one piece, or null when they are not all here. */
  #takeUnit(): Bytes | null {
    const at = this.#at
    const missing = this.#need - this.#partialBytes
    if (this.#chunk.length - at < missing) {
      this.#keepPartial()
      return null
    }
    this.#at += missing
    const rest = this.#chunk.subarray(at, this.#at)
    const partial = this.#partial
    if (partial === undefined) return rest
    partial.set(rest, this.#partialBytes)
    this.#partial = undefined
    this.#partialBytes = 0
    return partial
  }

  /** Moves what is left of the chunk, which is less than a unit, to where the rest will join it. */
  #keepPartial(): void {
    const rest = this.#chunk.subarray(this.#at)
    if (rest.length > 0) {
      this.#partial ??= new Uint8Array(this.#need)
      this.#partial.set(rest, this.#partialBytes)
      this.#partialBytes += rest.length
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
