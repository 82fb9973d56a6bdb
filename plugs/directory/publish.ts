import { formatAlternative, parseAddress } from '../../core/address.ts'
import { createIdentity } from '../../core/ed25519.ts'
import { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { endsIn } from '../../core/record.ts'
import { parseKeys, type KeysInput } from '../key-pair.ts'
import { hubUrlFrom } from './hub-http.ts'
import { addServed } from './publication.ts'

const { lifeMs, longestLifeMs, shortestLifeMs } = limits.record

export interface PublishOptions {
  /** The hub to register and publish at: `wss://hub.example.com`, or as in an address. */
  hub: string
  /** The keys that the address names; they sign the record. */
  keys: KeysInput
  /**
   * What to publish; a function is asked again whenever the record is renewed. Alternatives that do not end in the key
   * are left out, so that `() => ms.stringify('public')` will do.
   */
  address: string | (() => string)
  /**
   * Whether the hub may show it to those who do not know the key. There is one record for a key: asked for at one of
   * several hubs, it is asked for at all of them. @default false
   */
  listed?: boolean | undefined
  /** How long the record is good for when this process dies; it is renewed at half. A second to a day. @default an hour */
  lifeMs?: number | undefined
  /** HUB_LOST, HUB_REPLACED, HUB_REFUSED, RECORD_INVALID, RECORD_STALE. @default they are printed */
  onError?: ((error: MultiserverError) => void) | undefined
}

export interface Published {
  /** Resolves when the hub has taken the record; rejects when it refuses it, or when closed before. */
  readonly published: Promise<void>
  /** Withdraws the record and leaves the hub, unless something else of this process is registered there with the key. */
  close(): Promise<void>
}

/**
 * Keeps a record of the address at the hub, so that `lookup` finds it by the key, until it is closed. It shares the
 * registration of the rtc stacks of this process at that hub, and one record with everything else that this process
 * publishes under the key.
 *
 * @throws ADDRESS_INVALID for what is no hub, KEYS_INVALID
 */
export function publish(options: PublishOptions): Published {
  const { address, listed = false, onError = printError } = options
  const keys = parseKeys(options.keys)
  const { published, remove } = addServed(createIdentity(keys), {
    hubUrl: hubUrlFrom(options.hub),
    addresses: () => addressesOf(typeof address === 'string' ? address : address(), keys.publicKey),
    listed,
    lifeMs: Math.min(Math.max(options.lifeMs ?? lifeMs, shortestLifeMs), longestLifeMs),
    onError,
    onHubError: onError,
  })
  return { published, close: remove }
}

/** The alternatives of a text that end in `key`, as a record has them. @throws ADDRESS_INVALID */
export function addressesOf(text: string, key: Uint8Array): string[] {
  const alternatives = text === '' ? [] : parseAddress(text)
  return alternatives.filter((alternative) => endsIn(alternative, key)).map(formatAlternative)
}

function printError(error: MultiserverError): void {
  console.error(`multiserver: ${error.code}: ${error.message}`)
}
