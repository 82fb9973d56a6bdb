import { abortWith } from '../../core/aborts.ts'
import { formatSection, parseAddress } from '../../core/address.ts'
import { abortReason, untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { ByteStream, Target, Transport } from '../../core/types.ts'

export interface BareDial {
  /** Aborts the dial. */
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** Whom a hub is asked for. */
  readonly remoteKey?: Uint8Array | undefined
}

/** A place to pass bytes to. */
export interface BarePlace {
  readonly target: Target
  /** The names of what is spoken with it, by those for whom bytes are passed. */
  readonly transforms: readonly string[]
}

/**
 * `address` as a place to pass bytes to: one alternative that one of `transports` knows. What stands behind the
 * transport's section is not spoken here, only named to the transport, as `rtc` wants it.
 *
 * @throws ADDRESS_INVALID, NO_STACK_FITS
 */
export function parseBare(address: string, transports: readonly Pick<Transport, 'parse'>[]): BarePlace {
  const [alternative, ...more] = parseAddress(address)
  if (alternative === undefined || more.length > 0) {
    throw new MultiserverError(
      'ADDRESS_INVALID',
      `${address} has several alternatives; bytes are passed to one`,
    )
  }
  const [first, ...transforms] = alternative
  const section = formatSection(first)
  for (const transport of transports) {
    const target = transport.parse(section)
    if (target !== null) return { target, transforms: transforms.map(({ name }) => name) }
  }
  throw new MultiserverError('NO_STACK_FITS', `no transport here can dial ${section}`, { address })
}

/** Aborts as `signal` does, and when `client` is closed: nobody waits any more for what is dialed on its behalf. */
export function whileOpen(client: Pick<ByteStream, 'closed'>, signal: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const stop = abortWith(gone, signal)
  void client.closed.then(() => {
    stop()
    gone.abort(new MultiserverError('CONNECTION_LOST', 'the one on whose behalf it was dialed has gone'))
  })
  return gone.signal
}

/** A stream to `place` without any transform. @throws what the transport throws, TIMEOUT, ABORTED */
export async function dialBare(place: BarePlace, dial: BareDial): Promise<ByteStream> {
  const { signal, timeoutMs, remoteKey } = dial
  const { target, transforms } = place
  const dialing = new AbortController()
  const stop = abortWith(dialing, signal)
  try {
    const dialed = target.dial({ signal: dialing.signal, remoteKey, transforms })
    return await withDeadline(
      untilAborted(dialed, dialing.signal, (late) => late.abort(abortReason(dialing.signal))),
      timeoutMs,
      () => new MultiserverError('TIMEOUT', `not connected within ${timeoutMs} ms`),
      (error) => dialing.abort(error),
    )
  } catch (thrown) {
    throw toError(thrown, 'CONNECT_FAILED')
  } finally {
    stop()
  }
}
