import { parseKeyText } from '../../core/address.ts'
import { MultiserverError } from '../../core/errors.ts'
import { CountGate } from '../../core/count-gate.ts'
import { limits } from '../../core/limits.ts'
import type { ByteStream, Secured } from '../../core/types.ts'
import { asBuffer } from '../../plugs/buffers.ts'
import { parseKeys, type KeysInput } from '../../plugs/key-pair.ts'
import { shs, type AuthCallback } from '../../plugs/shs/index.ts'
import { fromPull } from '../../plugs/streams.ts'
import { keysFromSeedNow } from '../keys-from-seed.ts'
import { toOldStream } from '../stream.ts'
import type { TransformPlugin } from '../types.ts'

/** Answers by its callback alone. */
export type OldAuth = (key: Buffer, callback: AuthCallback) => unknown

export interface ShsOptions {
  /** A pair of keys, or the 32 bytes of a seed. Without any it only dials addresses that have a seed. */
  keys?: KeysInput | Uint8Array | null | undefined
  seed?: Uint8Array | undefined
  /** 32 bytes, or their base64. */
  appKey?: Uint8Array | string | undefined
  /** Which clients may connect. Without it nobody may: 3.8.2 crashed at the first. */
  auth?: OldAuth | undefined
  /** The same under its other name. */
  authenticate?: OldAuth | undefined
  /** For the whole handshake, in milliseconds. @default 15,000 */
  timeout?: number | undefined
}

export interface ShsTarget {
  readonly key: Buffer
  readonly seed?: Buffer | undefined
}

/** The plugin `multiserver/plugins/shs` of 3.8.2. */
export function Shs(
  options: ShsOptions,
): TransformPlugin<ShsTarget> & { readonly publicKey: Buffer | undefined } {
  const keys = readKeys(options)
  const transform = shs({
    keys,
    appKey: options.appKey,
    auth: byCallbackAlone(options.auth ?? options.authenticate ?? refuse),
    handshakeTimeoutMs: options.timeout,
    authTimeoutMs: options.timeout,
  })
  const gate = new CountGate(limits.handshake.inFlight, limits.handshake.inFlightPerSource)
  const publicKey = keys && asBuffer(keys.publicKey)

  async function connect(inner: ByteStream, target: ShsTarget): Promise<Secured> {
    const place = transform.parse(formatTarget(target))
    if (place === null) throw new MultiserverError('ADDRESS_INVALID', 'the address names no key of 32 bytes')
    return place.connect(inner, { signal: never() })
  }

  async function accept(inner: ByteStream): Promise<Secured> {
    const source = inner.info?.source
    if (!gate.enter(source)) throw new MultiserverError('BUSY')
    try {
      return await transform.accept(inner, { signal: never() })
    } finally {
      gate.leave(source)
    }
  }

  return {
    name: 'shs',
    create: (target) => (stream, callback) => {
      const inner = fromPull(stream)
      const securing = target?.key === undefined ? accept(inner) : connect(inner, target)
      securing.then(
        (secured) => queueMicrotask(() => callback(null, toStream(secured, inner))),
        (error: Error) => {
          inner.abort(error)
          queueMicrotask(() => callback(Object.assign(error, { address: 'shs:' })))
        },
      )
    },
    parse: parseTarget,
    stringify: () => publicKey && `shs:${publicKey.toString('base64')}`,
    publicKey,
  }
}

function readKeys({ keys, seed }: ShsOptions): ReturnType<typeof parseKeys> | undefined {
  const given = keys ?? seed
  if (given === undefined) return undefined
  return given instanceof Uint8Array ? keysFromSeedNow(given) : parseKeys(given)
}

function refuse(_key: Buffer, callback: AuthCallback): void {
  callback(new Error('shs has no auth, so that nobody may connect'))
}

/** What it returns is no answer, whatever it is; only a promise that rejects is a no. */
function byCallbackAlone(auth: OldAuth) {
  return async (key: Uint8Array, callback: AuthCallback): Promise<void> => {
    await auth(asBuffer(key), callback)
  }
}

function parseTarget(section: string): ShsTarget | null {
  const [name, keyText = '', seedText] = section.split(':')
  const key = parseKeyText(keyText)
  if (name !== 'shs' || key === null) return null
  if (seedText === undefined) return { key: asBuffer(key), seed: undefined }
  const seed = parseKeyText(seedText)
  return seed && { key: asBuffer(key), seed: asBuffer(seed) }
}

function formatTarget({ key, seed }: ShsTarget): string {
  return ['shs', key, ...(seed ? [seed] : [])]
    .map((part) => (typeof part === 'string' ? part : part.toString('base64')))
    .join(':')
}

function toStream({ stream, remote, auth }: Secured, below: ByteStream) {
  const key = asBuffer(remote ?? new Uint8Array(0))
  return { ...toOldStream(stream, below), remote: key, auth, address: `shs:${key.toString('base64')}` }
}

/** Whoever aborts an old stream aborts it through its source. */
function never(): AbortSignal {
  return new AbortController().signal
}

export default Shs
export { Shs as 'module.exports' }
