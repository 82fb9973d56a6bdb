import { formatAlternative, formatSection, type Alternative, type Section } from './address.ts'
import { equalBytes, toBase64 } from './bytes.ts'
import { Connection } from './connection.ts'
import { abortReason, untilAborted } from './deadline.ts'
import { MultiserverError, toError } from './errors.ts'
import { HandshakeGate } from './handshake-gate.ts'
import { timeStages } from './stage-times.ts'
import type * as t from './types.ts'

/** A transport and then its transforms; a transport alone is a stack of one. */
export type StackInput = t.Transport | readonly [t.Transport, ...t.Transform[]]

/** An alternative of an address that a stack can dial. */
export interface Route {
  readonly address: string
  readonly strength: number
  dial(context: RouteContext): Promise<Connection>
}

export interface RouteContext {
  readonly signal: AbortSignal
  readonly lingerMs?: number | undefined
  readonly reach?: t.Scope | undefined
  readonly onProgress?: ((stage: t.DialStage) => void) | undefined
}

export interface StackListenContext {
  readonly signal: AbortSignal
  readonly lingerMs?: number | undefined
  /** Resolves once every stack of the server listens or has failed. */
  readonly started?: Promise<void> | undefined
  /** For what concerns the listening as a whole. */
  readonly onListenError: (error: MultiserverError) => void
  /** For a connection that failed before it was one. */
  readonly onConnectionError: (error: MultiserverError) => void
}

type Step = (inner: t.ByteStream) => Promise<t.Secured>

/** One transport with its transforms: the only place where a raw stream is secured and a Connection is made. */
export class Stack {
  readonly transport: t.Transport
  readonly transforms: readonly t.Transform[]

  constructor(input: StackInput) {
    const [transport, ...transforms] = isList(input) ? input : [input]
    checkPlugs(transport, transforms)
    this.transport = transport
    this.transforms = transforms
  }

  /** For people: `net~shs`. */
  get name(): string {
    return [this.transport, ...this.transforms].map((plug) => plug.name).join('~')
  }

  /** That of the last transform which has one; 0 without any. */
  get strength(): number {
    return this.transforms.findLast(({ strength }) => strength !== undefined)?.strength ?? 0
  }

  get canListen(): boolean {
    return this.transport.listen !== undefined
  }

  /** How to dial `alternative`, or null: every section must fit, and there must be as many as plugs. */
  match(alternative: Alternative): Route | null {
    const [first, ...rest] = alternative
    if (rest.length !== this.transforms.length) return null
    const target = this.transport.parse(formatSection(first))
    const secures = this.#parseTransforms(rest)
    if (target === null || secures === null) return null
    const address = formatAlternative(alternative)
    return {
      address,
      strength: this.strength,
      dial: (context) => this.#dial(address, target, secures, context),
    }
  }

  /** Addresses to print: each section that the transport prints for `scope`, with the transforms behind it. */
  addresses(scope: t.Scope, listener?: t.Listener): string[] {
    const transforms = this.transforms.map((transform) => transform.section())
    // A transform without a key of its own can't be dialed by anybody.
    if (transforms.includes('')) return []
    return (listener ?? this.transport).addresses(scope).map((section) => [section, ...transforms].join('~'))
  }

  /** Starts accepting; each stream becomes a connection once every transform has accepted it. */
  listen(onConnection: (connection: Connection) => void, context: StackListenContext): Promise<t.Listener> {
    if (this.transport.listen === undefined) {
      throw new MultiserverError('LISTEN_FAILED', `${this.transport.name} can only dial`)
    }
    const gate = new HandshakeGate()
    const underWay = new Set<AbortController>()
    const { signal } = context
    const stop = () => underWay.forEach((handshake) => handshake.abort(abortReason(signal)))
    signal.addEventListener('abort', stop, { once: true })
    const failed = (thrown: unknown) => context.onConnectionError(toError(thrown, 'HANDSHAKE_FAILED'))
    const accept = (raw: t.ByteStream) => {
      const source = raw.info?.source
      if (!gate.enter(source)) {
        const busy = new MultiserverError('BUSY', undefined, { address: raw.info?.address })
        raw.abort(busy)
        failed(busy)
        return
      }
      // A signal for each: Node warns of more than ten listeners on one.
      const handshake = new AbortController()
      underWay.add(handshake)
      if (signal.aborted) stop()
      this.#accept(raw, { ...context, signal: handshake.signal })
        .finally(() => {
          underWay.delete(handshake)
          gate.leave(source)
        })
        .then(onConnection, failed)
    }
    return this.transport.listen(accept, {
      signal,
      identity: this.transforms.find((transform) => transform.identity !== undefined)?.identity,
      transforms: this.transforms.map((transform) => transform.name),
      sections: this.transforms.map((transform) => transform.section()),
      started: context.started,
      onError: (error) => context.onListenError(toError(error, 'LISTEN_FAILED')),
      onConnectionError: failed,
    })
  }

  async #dial(
    address: string,
    target: t.Target,
    secures: readonly t.SecureTarget[],
    { signal, lingerMs, reach, ...context }: RouteContext,
  ): Promise<Connection> {
    const { onProgress, stageMs } = timeStages(context.onProgress)
    try {
      const raw = await untilAborted(
        target.dial({
          signal,
          remoteKey: secures.find((secure) => secure.key !== undefined)?.key,
          transforms: this.transforms.map((transform) => transform.name),
          reach,
          onProgress,
        }),
        signal,
        (late) => late.abort(abortReason(signal)),
      )
      onProgress('transport')
      const steps = secures.map(
        (secure): Step =>
          async (inner) =>
            checkKey(await secure.connect(inner, { signal }), secure.key),
      )
      const { stream, remote, auth, binding } = await runSteps(raw, steps, signal)
      onProgress('secured')
      const facts = { address, remote, auth, binding, strength: this.strength, lingerMs, stageMs }
      return new Connection(stream, { ...facts, role: 'client' })
    } catch (thrown) {
      throw withAddress(toError(thrown, 'CONNECT_FAILED'), address)
    }
  }

  async #accept(raw: t.ByteStream, { signal, lingerMs }: StackListenContext): Promise<Connection> {
    const from = raw.info?.address ?? this.transport.name
    try {
      const steps = this.transforms.map(
        (transform): Step =>
          (inner) =>
            transform.accept(inner, { signal }),
      )
      const { stream, remote, auth, binding } = await runSteps(raw, steps, signal)
      const key = remote === undefined ? '' : `:${toBase64(remote)}`
      const address = [from, ...this.transforms.map(({ name }) => `${name}${key}`)].join('~')
      const { strength } = this
      return new Connection(stream, { address, role: 'server', remote, auth, binding, strength, lingerMs })
    } catch (thrown) {
      throw withAddress(toError(thrown, 'HANDSHAKE_FAILED'), from)
    }
  }

  #parseTransforms(sections: readonly Section[]): t.SecureTarget[] | null {
    const secures: t.SecureTarget[] = []
    for (const [index, transform] of this.transforms.entries()) {
      const section = sections[index]
      const secure = section === undefined ? null : transform.parse(formatSection(section))
      if (secure === null) return null
      secures.push(secure)
    }
    return secures
  }
}

/** Runs the transforms over `raw` in order. Whatever goes wrong, abort included, nothing of it stays open. */
async function runSteps(raw: t.ByteStream, steps: readonly Step[], signal: AbortSignal): Promise<t.Secured> {
  const onAbort = () => raw.abort(abortReason(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    let secured: t.Secured = { stream: raw }
    for (const step of steps) {
      const next = await step(secured.stream)
      secured = { ...next, remote: next.remote ?? secured.remote, auth: next.auth ?? secured.auth }
    }
    if (signal.aborted) throw abortReason(signal)
    return secured
  } catch (thrown) {
    const error = signal.aborted ? abortReason(signal) : toError(thrown, 'HANDSHAKE_FAILED')
    raw.abort(error)
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A transform checks this itself; a plug that forgot must still not connect anybody to the wrong peer. */
function checkKey(secured: t.Secured, key: Uint8Array | undefined): t.Secured {
  if (key !== undefined && (secured.remote === undefined || !equalBytes(secured.remote, key))) {
    throw new MultiserverError('WRONG_KEY')
  }
  return secured
}

function withAddress(error: MultiserverError, address: string): MultiserverError {
  if (error.address !== undefined) return error
  const { code, message, cause } = error
  return new MultiserverError(code, message, { address, cause: cause ?? error })
}

function isList(input: StackInput): input is Exclude<StackInput, t.Transport> {
  return Array.isArray(input)
}

function checkPlugs(transport: t.Transport | undefined, transforms: readonly t.Transform[]): void {
  if (typeof transport?.parse !== 'function' || typeof transport.addresses !== 'function') {
    throw new MultiserverError('STACK_INVALID', 'a stack begins with a transport, for example net({ port })')
  }
  for (const transform of transforms) {
    if (typeof transform?.accept !== 'function' || typeof transform.section !== 'function') {
      throw new MultiserverError(
        'STACK_INVALID',
        `after ${transport.name} a stack has only transforms, such as shs`,
      )
    }
    const refusal = transform.refuses?.(transport)
    if (refusal !== undefined) throw new MultiserverError('STACK_INVALID', refusal)
  }
}
