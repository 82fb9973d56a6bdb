import { ByteReader } from '../../core/byte-reader.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { errorCodes, MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { unread } from './unread.ts'
import { decodeAnswer, encodeRequest } from './wire.ts'
import type { Bytes, ByteStream, Secured } from '../../core/types.ts'

/**
 * Asks the bridge at the other end of `inner` for the server with `serverKey`. Owns `inner`, and aborts it when it rejects.
 *
 * @throws TUNNEL_UNKNOWN, TUNNEL_REFUSED, TUNNEL_UNREACHABLE, BUSY, PROTOCOL, TIMEOUT, HANDSHAKE_FAILED
 */
export async function askBridge(inner: ByteStream, serverKey: Bytes, signal: AbortSignal): Promise<Secured> {
  const { timeoutMs } = limits.handshake
  try {
    return await withDeadline(
      untilAborted(ask(inner, serverKey), signal, ({ stream }) => stream.abort()),
      timeoutMs,
      () => new MultiserverError('TIMEOUT', `the bridge gave no answer within ${timeoutMs} ms`),
    )
  } catch (thrown) {
    const error = toError(thrown, 'HANDSHAKE_FAILED')
    inner.abort(error)
    throw error
  }
}

async function ask(inner: ByteStream, serverKey: Bytes): Promise<Secured> {
  const reader = new ByteReader(inner)
  let bytes: Bytes | null
  try {
    await inner.write(encodeRequest(serverKey))
    bytes = await reader.read(1)
  } catch (cause) {
    throw new MultiserverError('HANDSHAKE_FAILED', hungUp, { cause })
  }
  if (bytes === null) throw new MultiserverError('HANDSHAKE_FAILED', hungUp)
  const answer = decodeAnswer(bytes)
  if (answer === null) throw new MultiserverError('PROTOCOL', 'the bridge gave an answer that is none')
  if (answer !== 'open') throw new MultiserverError(answer, messages[answer])
  return { stream: unread(inner, await reader.read(reader.available)) }
}

const hungUp = 'the bridge hung up before it had answered'

const messages = {
  ...errorCodes,
  BUSY: 'the bridge has as many tunnels open as it may, in all or for this key',
}
