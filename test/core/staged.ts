import { parseKeyText, parseSection } from '../../core/address.ts'
import { toBase64 } from '../../core/bytes.ts'
import { createPair } from '../../core/pair.ts'
import type { ByteStream, DialContext, SecureTarget, Transform, Transport } from '../../core/types.ts'

/** A dial that has begun and waits for what the test makes of it. */
export interface StagedDial {
  readonly section: string
  readonly context: DialContext
  /** Connects; answers the far end. */
  connect(): ByteStream
  fail(error: Error): void
}

/** A transport that knows every section of its name and leaves each dial to the test. */
export function stagedTransport(name = 'staged'): Transport & { readonly dials: StagedDial[] } {
  const dials: StagedDial[] = []
  return {
    name,
    dials,
    halfClose: true,
    parse: (section) =>
      parseSection(section)?.name === name
        ? {
            dial: (context) =>
              new Promise((resolve, reject) => {
                dials.push({
                  section,
                  context,
                  connect() {
                    const [near, far] = createPair()
                    resolve(near)
                    return far
                  },
                  fail: reject,
                })
              }),
          }
        : null,
    addresses: () => [],
  }
}

/** How a staged handshake ends. */
export type Proof = 'right key' | 'wrong key' | 'no key' | 'failure' | 'silence'

/** A transform without bytes of its own that proves what `proofOf` says of the key in its section. */
export function stagedTransform(
  name: string,
  strength: number,
  proofOf: () => Proof = () => 'right key',
): Transform {
  return {
    name,
    strength,
    section: () => `${name}:${keyText(1)}`,
    parse(text): SecureTarget | null {
      const section = parseSection(text)
      const key = parseKeyText(section?.data[0] ?? '')
      if (section?.name !== name || key === null) return null
      return {
        key,
        connect(stream) {
          const proof = proofOf()
          if (proof === 'silence') return new Promise(() => undefined)
          if (proof === 'failure') return Promise.reject(new Error('staged failure'))
          if (proof === 'no key') return Promise.resolve({ stream })
          return Promise.resolve({ stream, remote: proof === 'right key' ? key : keyBytes(99) })
        },
      }
    },
    accept: (stream) => Promise.resolve({ stream, remote: keyBytes(2) }),
  }
}

/** A transform that proves nothing. */
export function stagedNoauth(): Transform {
  return {
    name: 'noauth',
    strength: 0,
    section: () => 'noauth',
    parse: (text) => (text === 'noauth' ? { connect: (stream) => Promise.resolve({ stream }) } : null),
    accept: (stream) => Promise.resolve({ stream }),
  }
}

export function keyBytes(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(number)
}

export function keyText(number: number): string {
  return toBase64(keyBytes(number))
}

/** Lets every promise that can settle now do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve()
}
