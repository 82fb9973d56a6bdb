// A transform in a page: `deflate` compresses what the application writes, on top of whatever secures it, as in
// [net(), shs2({ keys }), deflate()]. It changes no key, so it has no strength of its own.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { ByteReader, MultiserverError } from 'multiserver/plug'

const headBytes = 3
/** Of plaintext in a frame. What arrives may not become more than that either, however small it is compressed. */
const maxPlainBytes = 64 * 1024
/** What deflate makes of bytes that can't be compressed is a little longer than they are. */
const maxFrameBytes = maxPlainBytes + 1024

export default function deflate() {
  const wrap = async (inner) => ({ stream: new DeflateStream(inner) })
  return {
    name: 'deflate',
    section: () => 'deflate',
    parse: (section) => (section === 'deflate' ? { connect: wrap } : null),
    accept: wrap,
  }
}

/** Frames of a length in three bytes and that many bytes of deflated plaintext. */
class DeflateStream {
  #inner
  #reader

  constructor(inner) {
    this.#inner = inner
    this.#reader = new ByteReader(inner)
    this.closed = inner.closed
    this.info = inner.info
  }

  async read() {
    const head = await this.#reader.read(headBytes)
    if (head === null) return null
    const length = head[0] * 65_536 + head[1] * 256 + head[2]
    if (length > maxFrameBytes)
      throw this.#fail('PROTOCOL', `a deflated frame of ${length} bytes is too long`)
    const frame = await this.#reader.read(length)
    if (frame === null) throw this.#fail('TRUNCATED')
    const plain = this.#inflate(frame)
    // A ByteStream never gives nothing.
    if (plain.length === 0) throw this.#fail('PROTOCOL', 'a deflated frame is empty')
    return plain
  }

  async write(chunk) {
    for (let start = 0; start < chunk.length; start += maxPlainBytes) {
      const deflated = deflateRawSync(chunk.subarray(start, start + maxPlainBytes))
      const frame = new Uint8Array(headBytes + deflated.length)
      frame.set([deflated.length >> 16, deflated.length >> 8, deflated.length])
      frame.set(deflated, headBytes)
      // Awaited: that is the backpressure.
      await this.#inner.write(frame)
    }
  }

  end() {
    return this.#inner.end()
  }

  abort(reason) {
    this.#inner.abort(reason)
  }

  #inflate(frame) {
    try {
      // A copy, and no Buffer: what is read belongs to the reader.
      return new Uint8Array(inflateRawSync(frame, { maxOutputLength: maxPlainBytes }))
    } catch (cause) {
      throw this.#fail('PROTOCOL', 'a frame does not inflate', cause)
    }
  }

  /** After a fault nothing more can be understood: the layer below goes too. */
  #fail(code, message, cause) {
    const error = new MultiserverError(code, message, { cause })
    this.#inner.abort(error)
    return error
  }
}
