import { whenAborted } from './aborts.ts'
import { formatAlternative, formatSection, type Alternative, type Section } from './address.ts'
import { equalBytes, toBase64 } from './bytes.ts'
import { Connection } from './connection.ts'
import { CountGate } from './count-gate.ts'
import { abortReason, untilAborted } from './deadline.ts'
import { MultiserverError, toError } from './errors.ts'
import { limits } from './limits.ts'
import { timeStages } from './stage-times.ts'
import type * as t from './types.ts'

const { inFlight, inFlightPerSource } = limits.handshake

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
  readonly onPassage: (passage: t.Passage) => void
  /** For what concerns the listening as a whole. */
  readonly onListenError: (error: MultiserverError) => void
  /** For a connection that failed before it was one. */
  readonly onConnectionError: (error: MultiserverError) => void
}

type Step = (below: t.Secured) => Promise<t.Secured>

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
    return this.transport.listen !== undefined && !this.transforms.some(({ dialsOnly }) => dialsOnly === true)
  }

  /** What a stream goes through that is accepted: up to the transform that passes it on, if there is one. */
  get #accepting(): readonly t.Transform[] {
    const taker = this.transforms.findIndex((transform) => transform.takeOver !== undefined)
    return taker === -1 ? this.transforms : this.transforms.slice(0, taker + 1)
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

  /** Starts accepting; each stream becomes a connection once every transform has accepted it, or a passage. */
  listen(onConnection: (connection: Connection) => void, context: StackListenContext): Promise<t.Listener> {
    if (this.transport.listen === undefined) {
      throw new MultiserverError('LISTEN_FAILED', `${this.transport.name} can only dial`)
    }
    const gate = new CountGate(inFlight, inFlightPerSource)
    const { signal } = context
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
      const stop = whenAborted(signal, () => handshake.abort(abortReason(signal)))
      this.#accept(raw, { ...context, signal: handshake.signal })
        .finally(() => {
          stop()
          gate.leave(source)
        })
        .then((accepted) => {
          if (accepted instanceof Connection) onConnection(accepted)
          else context.onPassage(accepted)
        }, failed)
    }
    const accepting = this.#accepting
    return this.transport.listen(accept, {
      signal,
      identity: accepting.find((transform) => transform.identity !== undefined)?.identity,
      transforms: accepting.map((transform) => transform.name),
      passesOn: accepting.at(-1)?.takeOver !== undefined,
      sections: accepting.map((transform) => transform.section()),
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
      const steps = secures.map((secure, index): Step => async (below) => {
        const secured = checkKey(await secure.connect(below.stream, { signal }), secure.key)
        return withProofs(this.transforms[index], secured, below)
      })
      const { stream, remote, auth, binding } = await runSteps(raw, steps, signal)
      onProgress('secured')
      const facts = { address, remote, auth, binding, strength: this.strength, lingerMs, stageMs }
      return new Connection(stream, { ...facts, role: 'client' })
    } catch (thrown) {
      throw withAddress(toError(thrown, 'CONNECT_FAILED'), address)
    }
  }

  async #accept(
    raw: t.ByteStream,
    { signal, lingerMs }: StackListenContext,
  ): Promise<Connection | t.Passage> {
    const from = raw.info?.address ?? this.transport.name
    try {
      let passage: t.Passage | undefined
      const steps = this.#accepting.map((transform): Step => async (below) => {
        const context = { signal, remote: below.remote }
        passage = await transform.takeOver?.(below.stream, context)
        if (passage !== undefined) return below
        return withProofs(transform, await transform.accept(below.stream, context), below)
      })
      const { stream, remote, auth, binding } = await runSteps(raw, steps, signal)
      if (passage !== undefined) return passage
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
      secured = await step(secured)
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

/** What is known of the far side after `transform`, which gave `own`. */
function withProofs(transform: t.Transform | undefined, own: t.Secured, below: t.Secured): t.Secured {
  if (transform?.strength !== undefined) return own
  const { stream, remote = below.remote, auth = below.auth, binding = below.binding } = own
  return { stream, remote, auth, binding }
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
  for (const [index, transform] of transforms.entries()) {
    if (typeof transform?.accept !== 'function' || typeof transform.section !== 'function') {
      throw new MultiserverError(
        'STACK_INVALID',
        `after ${transport.name} a stack has only transforms, such as shs`,
      )
    }
    const refusal = transform.refuses?.(transport, transforms.slice(0, index))
    if (refusal !== undefined) throw new MultiserverError('STACK_INVALID', refusal)
  }
}
