import { MultiserverError } from '../../core/errors.ts'
import type { Bytes } from '../../core/types.ts'

/*
 * What goes over a uTP connection, in each direction. uTP alone would not do: a reader can't hold the sender back
 * (utp-native takes all there is), who accepts can't write before it has read, and an abort looks like an end.
 *
 *   type (1) | value (3, big-endian)      first: OPEN, and then any number of the others, END last but for CREDIT
 *
 *   1 OPEN     bytes that may be sent and not yet be read; the client's lets the server write
 *   2 DATA     number of bytes, which follow
 *   3 CREDIT   number of bytes that were read, so that as many more may be sent; 0 only asks whether anybody is there
 *   4 END      0: no more data
 */
const types = { open: 1, data: 2, credit: 3, end: 4 } as const

const headerBytes = 4

/** `data` comes in the pieces in which it arrives. */
export type Frame =
  | { readonly type: 'open' | 'credit'; readonly bytes: number }
  | { readonly type: 'data'; readonly chunk: Bytes }
  | { readonly type: 'end' }

export function encodeOpen(windowBytes: number): Bytes {
  return encodeHeader(types.open, windowBytes)
}

export function encodeData(chunk: Uint8Array): Bytes {
  const frame = new Uint8Array(headerBytes + chunk.length)
  frame.set(encodeHeader(types.data, chunk.length))
  frame.set(chunk, headerBytes)
  return frame
}

export function encodeCredit(bytes: number): Bytes {
  return encodeHeader(types.credit, bytes)
}

export function encodeEnd(): Bytes {
  return encodeHeader(types.end, 0)
}

/** Frames out of chunks, however these are cut. It keeps no more than a header. */
export class FrameParser {
  readonly #header = new Uint8Array(headerBytes)
  #filled = 0
  #dataLeft = 0
  #opened = false
  #ended = false

  /** Hands over the frames that end in `chunk`, and the data in it. Throws PROTOCOL at what is none, or out of turn. */
  parse(chunk: Bytes, handle: (frame: Frame) => void): void {
    for (let rest = chunk; rest.length > 0;) {
      const inData = this.#dataLeft > 0
      const piece = rest.subarray(0, inData ? this.#dataLeft : headerBytes - this.#filled)
      rest = rest.subarray(piece.length)
      if (inData) {
        this.#dataLeft -= piece.length
        handle({ type: 'data', chunk: piece })
      } else {
        this.#header.set(piece, this.#filled)
        this.#filled += piece.length
        if (this.#filled === headerBytes) this.#parseHeader(handle)
      }
    }
  }

  #parseHeader(handle: (frame: Frame) => void): void {
    const [type = 0, high = 0, middle = 0, low = 0] = this.#header
    const value = high * 65_536 + middle * 256 + low
    this.#filled = 0
    if ((type === types.open) === this.#opened) throw violation('OPEN comes first, and once')
    if (type === types.end ? value !== 0 : value === 0 && type !== types.credit) {
      throw violation(`a frame of type ${type} with the value ${value}`)
    }
    switch (type) {
      case types.open:
        this.#opened = true
        return handle({ type: 'open', bytes: value })
      case types.credit:
        return handle({ type: 'credit', bytes: value })
      case types.data:
        if (this.#ended) throw violation('DATA after END')
        this.#dataLeft = value
        return
      case types.end:
        if (this.#ended) throw violation('END twice')
        this.#ended = true
        return handle({ type: 'end' })
      default:
        throw violation(`a frame of type ${type}`)
    }
  }
}

export function violation(what: string): MultiserverError {
  return new MultiserverError('PROTOCOL', `the far side of a uTP connection sent what it may not: ${what}`)
}

function encodeHeader(type: number, value: number): Bytes {
  return Uint8Array.of(type, value >> 16, (value >> 8) & 0xff, value & 0xff)
}
