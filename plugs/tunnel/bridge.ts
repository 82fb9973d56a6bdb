import { ByteReader } from '../../core/byte-reader.ts'
import { copy, shortKey, toHex } from '../../core/bytes.ts'
import { CountGate } from '../../core/count-gate.ts'
import { untilAborted, withDeadline } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { dialBare, parseBare, whileOpen } from './dial-bare.ts'
import { Joint } from './joint.ts'
import { unread } from './unread.ts'
import { answerFor, decodeRequest, encodeAnswer, requestBytes, type Answer } from './wire.ts'
import type { AcceptContext, Bytes, ByteStream, Passage, Transport } from '../../core/types.ts'

type MaybePromise<T> = T | Promise<T>

export interface BridgeOptions {
  /**
   * Where the server with `serverKey` is, or undefined when it is not served: a transport's section, such as
   * `net:10.0.0.5:8008`. Behind a transport that must know what is going to be spoken stand its transforms too:
   * `rtc:HUB~shs:KEY`.
   */
  readonly to: (serverKey: Bytes, clientKey: Bytes) => MaybePromise<string | undefined>
  /** Who may pass; asked before `to`, so that others learn nothing. @default everyone whom the layers below let in */
  allow?: ((clientKey: Bytes, serverKey: Bytes) => MaybePromise<boolean>) | undefined
  /** What dials the servers. @default net and unix on Node, none in browsers */
  transports?: readonly Pick<Transport, 'parse'>[] | undefined
  /** Told of each tunnel that opens. Those that do not are errors of the server, with a code for each reason. */
  onTunnel?: ((tunnel: Tunnel) => void) | undefined
  /** Tunnels that are open or opening, in all. @default 256 */
  maxTunnels?: number | undefined
  /** Of these, those of one client's key. @default 16 */
  maxTunnelsPerClient?: number | undefined
  /** How long dialing a server may take. @default 10,000 */
  dialTimeoutMs?: number | undefined
  /** How long no byte may pass, either way. @default 900,000 */
  idleMs?: number | undefined
}

/** A client and a server that a bridge has joined. */
export interface Tunnel extends Passage {
  readonly clientKey: Bytes
  readonly serverKey: Bytes
  /** Where the server is, as `to` said. */
  readonly address: string
  /** Bytes that were passed on. */
  readonly passed: { readonly toClient: number; readonly toServer: number }
  /** Why it ended badly; undefined while it is open and after a clean end. */
  readonly error: MultiserverError | undefined
}

/** Who asks for whom. */
interface Request {
  readonly clientKey: Bytes
  readonly serverKey: Bytes
}

/** A server that was dialed, and what counts it. */
interface Reached {
  readonly address: string
  readonly server: ByteStream
  readonly leave: () => void
}

/** The bridge's side of `tunnel`, with the count of what is open. */
export class Bridge {
  readonly #options: BridgeOptions
  readonly #transports: readonly Pick<Transport, 'parse'>[]
  readonly #gate: CountGate

  constructor(options: BridgeOptions, transports: readonly Pick<Transport, 'parse'>[]) {
    const { maxTunnels = limits.tunnel.open, maxTunnelsPerClient = limits.tunnel.openPerClient } = options
    this.#options = options
    this.#transports = transports
    this.#gate = new CountGate(maxTunnels, maxTunnelsPerClient)
  }

  /**
   * Answers the request of a client and passes its bytes from then on. Owns `inner`, and aborts it when it rejects.
   *
   * @throws TUNNEL_REFUSED, TUNNEL_UNKNOWN, BUSY, TUNNEL_UNREACHABLE, which the client is told; PROTOCOL, TRUNCATED,
   * TIMEOUT
   */
  async takeOver(inner: ByteStream, { signal, remote }: AcceptContext): Promise<Tunnel> {
    try {
      const { serverKey, client } = await readRequest(inner, signal)
      // A stack has a transform below that proves the client's key, or it is STACK_INVALID.
      if (remote === undefined) throw new MultiserverError('TUNNEL_REFUSED', 'the client has proved no key')
      const request = { clientKey: copy(remote), serverKey }
      const reached = await this.#reach(request, client, signal).catch(async (thrown: unknown) => {
        const error = toError(thrown, 'TUNNEL_UNREACHABLE')
        await refuse(client, answerFor(error.code))
        throw error
      })
      return await this.#join(request, client, reached)
    } catch (thrown) {
      const error = toError(thrown, 'HANDSHAKE_FAILED')
      inner.abort(error)
      throw error
    }
  }

  async #reach(request: Request, client: ByteStream, signal: AbortSignal): Promise<Reached> {
    const asking = untilAborted(this.#askForAddress(request), signal, () => undefined)
    const address = await withDeadline(asking, limits.handshake.authTimeoutMs, () =>
      unreachable(request, `allow and to gave no answer within ${limits.handshake.authTimeoutMs} ms`),
    )
    const leave = this.#enter(request)
    try {
      const server = await this.#dial(address, request, client, signal)
      return { address, server, leave }
    } catch (cause) {
      leave()
      throw unreachable(request, toError(cause, 'CONNECT_FAILED').message, cause)
    }
  }

  /** Counts one more; the function that is given takes it away again. */
  #enter({ clientKey }: Request): () => void {
    const source = toHex(clientKey)
    if (this.#gate.enter(source)) return () => this.#gate.leave(source)
    const message = `as many tunnels are open as may be, in all or of client ${shortKey(clientKey)}`
    throw new MultiserverError('BUSY', message)
  }

  async #askForAddress(request: Request): Promise<string> {
    const { clientKey, serverKey } = request
    const { allow, to } = this.#options
    try {
      if (allow !== undefined && !(await allow(clientKey, serverKey))) {
        const message = `client ${shortKey(clientKey)} may not pass to ${shortKey(serverKey)}`
        throw new MultiserverError('TUNNEL_REFUSED', message)
      }
      const address = await to(serverKey, clientKey)
      if (address !== undefined) return address
    } catch (cause) {
      if (cause instanceof MultiserverError && cause.code === 'TUNNEL_REFUSED') throw cause
      throw unreachable(request, 'allow or to failed', cause)
    }
    const message = `client ${shortKey(clientKey)} asked for ${shortKey(serverKey)}, which is not served here`
    throw new MultiserverError('TUNNEL_UNKNOWN', message)
  }

  /** A client that goes away meanwhile ends it. */
  async #dial(
    address: string,
    { serverKey }: Request,
    client: ByteStream,
    signal: AbortSignal,
  ): Promise<ByteStream> {
    const { dialTimeoutMs: timeoutMs = limits.tunnel.dialTimeoutMs } = this.#options
    const place = parseBare(address, this.#transports)
    return dialBare(place, { signal: whileOpen(client, signal), timeoutMs, remoteKey: serverKey })
  }

  async #join(request: Request, client: ByteStream, { address, server, leave }: Reached): Promise<Tunnel> {
    try {
      await client.write(encodeAnswer('open'))
    } catch (thrown) {
      leave()
      server.abort(toError(thrown, 'CONNECTION_LOST'))
      throw thrown
    }
    const { idleMs = limits.tunnel.idleMs, onTunnel } = this.#options
    const joint = new Joint(client, server, { idleMs })
    void joint.closed.then(leave)
    const tunnel = describeTunnel(joint, request, address)
    onTunnel?.(tunnel)
    return tunnel
  }
}

/** The request, and the client's stream behind it, with what came at once. */
async function readRequest(
  inner: ByteStream,
  signal: AbortSignal,
): Promise<{ serverKey: Bytes; client: ByteStream }> {
  const reader = new ByteReader(inner)
  const { timeoutMs } = limits.handshake
  const request = await withDeadline(
    untilAborted(reader.read(requestBytes), signal, () => undefined),
    timeoutMs,
    () => new MultiserverError('TIMEOUT', `no request for a tunnel came within ${timeoutMs} ms`),
  )
  if (request === null)
    throw new MultiserverError('TRUNCATED', 'the client ended before it asked for a tunnel')
  const serverKey = decodeRequest(request)
  if (serverKey === null)
    throw new MultiserverError('PROTOCOL', 'the client asks for a tunnel of another version')
  return { serverKey, client: unread(inner, await reader.read(reader.available)) }
}

/** Says why not, and waits a little for the client to go: an abort at once could overtake the answer. */
async function refuse(client: ByteStream, answer: Answer): Promise<void> {
  const said = async () => {
    await client.write(encodeAnswer(answer))
    await client.end()
    while ((await client.read()) !== null);
  }
  const late = () => new MultiserverError('TIMEOUT')
  await withDeadline(said(), limits.tunnel.refusalLingerMs, late).catch(() => undefined)
}

function describeTunnel(joint: Joint, { clientKey, serverKey }: Request, address: string): Tunnel {
  return {
    clientKey,
    serverKey,
    address,
    closed: joint.closed,
    abort: (reason) => joint.abort(reason),
    get passed() {
      return { toClient: joint.passed.toNear, toServer: joint.passed.toFar }
    },
    get error() {
      return joint.error
    },
  }
}

function unreachable({ serverKey }: Request, why: string, cause?: unknown): MultiserverError {
  return new MultiserverError('TUNNEL_UNREACHABLE', `server ${shortKey(serverKey)}: ${why}`, { cause })
}
