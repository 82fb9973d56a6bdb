import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  concat,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromText,
  lengthPrefixed,
  toBase64,
  toBase64Url,
} from '../../core/bytes.ts'
import { errorCodes, MultiserverError, toError } from '../../core/errors.ts'

describe('base64', () => {
  it('is that of Node, in both alphabets, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const [text, url] = [toBase64(bytes), toBase64Url(bytes)]
        expect(text).toBe(Buffer.from(bytes).toString('base64'))
        expect(url).toBe(Buffer.from(bytes).toString('base64url'))
        for (const written of [text, url, text.replace(/=+$/, '')]) {
          expect([...(fromBase64(written) ?? [])]).toEqual([...bytes])
        }
        expect([...(fromBase64Url(url) ?? [])]).toEqual([...bytes])
      }),
      { numRuns: 5000 },
    )
  })

  it.each(['A', 'AAAAA', 'AB==x', 'A===', 'AA=A', 'A A=', 'A\n', 'é', 'AB', 'AAB='])('is not %j', (text) => {
    expect(fromBase64(text)).toBeNull()
  })

  it('of URLs is canonical: no padding and no other alphabet', () => {
    expect(fromBase64Url('_-8')).toEqual(Uint8Array.of(255, 239))
    for (const text of ['_-8=', '/+8', '_-9']) expect(fromBase64Url(text)).toBeNull()
  })

  it('reads any text to bytes that it writes again, or to null', () => {
    const nearly = fc.string({
      unit: fc.constantFrom('A', 'B', '_', '-', '+', '/', '=', ' ', 'é'),
      maxLength: 12,
    })
    fc.assert(
      fc.property(nearly, (text) => {
        const bytes = fromBase64(text)
        if (bytes !== null) expect(toBase64Url(bytes)).toBe(toBase64Url(Buffer.from(text, 'base64')))
      }),
      { numRuns: 5000 },
    )
  })
})

describe('bytes', () => {
  it('are joined and compared', () => {
    expect(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
    expect(concat()).toHaveLength(0)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false)
  })

  it('have their length in front, up to what two bytes can say', () => {
    expect(lengthPrefixed('é')).toEqual(Uint8Array.of(0, 2, 0xc3, 0xa9))
    expect(lengthPrefixed(fromText(''))).toEqual(Uint8Array.of(0, 0))
    expect(lengthPrefixed(new Uint8Array(0xffff)).subarray(0, 2)).toEqual(Uint8Array.of(0xff, 0xff))
    expect(() => lengthPrefixed(new Uint8Array(0x10000))).toThrow(RangeError)
  })
})

describe('MultiserverError', () => {
  it.each(Object.entries(errorCodes))(
    'of %s says its sentence unless it has particulars to say',
    (code, sentence) => {
      expect(new MultiserverError(code as 'ABORTED').message).toBe(sentence)
      expect(new MultiserverError(code as 'ABORTED', 'this one').message).toBe('this one')
    },
  )

  it('is an Error with a name, and without a cause when there is none', () => {
    const error = new MultiserverError('TIMEOUT')
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('MultiserverError')
    expect('cause' in error).toBe(false)
  })

  it('wraps what was thrown once, with its message', () => {
    const thrown = new TypeError('not a function')
    const wrapped = toError(thrown, 'CONNECT_FAILED', { address: 'net:h:1' })
    expect(wrapped).toMatchObject({
      code: 'CONNECT_FAILED',
      message: thrown.message,
      cause: thrown,
      address: 'net:h:1',
    })
    expect(toError(wrapped, 'ABORTED')).toBe(wrapped)
    for (const bare of [undefined, null, 'text', new Error('')]) {
      expect(toError(bare, 'TIMEOUT')).toMatchObject({ code: 'TIMEOUT', message: errorCodes.TIMEOUT })
    }
  })
})
