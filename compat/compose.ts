import { joinSections, splitAlternatives, splitSections } from './sections.ts'
import type * as t from './types.ts'

/** A transport and its transforms as one stack. @param wrap changes the stream of the transport */
export function Compose(
  plugs: readonly [t.TransportPlugin, ...t.TransformPlugin[]],
  wrap: t.Wrap = (stream) => stream,
): t.Stack {
  const [transport, ...transforms] = plugs

  /** Every section must fit, and there must be as many as plugs: one too few would leave out a transform. */
  function parse(address: string): unknown[] | null {
    const sections = splitSections(address)
    if (sections === null || sections.length !== plugs.length) return null
    const targets = sections.map((section, index) => plugs[index]?.parse(section))
    return targets.every(Boolean) ? targets : null
  }

  return {
    name: plugs.map((plug) => plug.name).join('~'),
    scope: () => transport.scope(),
    parse,
    client(address, callback) {
      const targets = typeof address === 'string' ? parse(address) : address
      if (!targets) {
        callback(new Error(`could not parse address:${String(address)}`))
        return () => undefined
      }
      const [place, ...secrets] = targets
      return dial(transport, place, callback, (stream, done) => {
        const steps = transforms.map((transform, index) => transform.create(secrets[index] as never))
        secure(wrap(stream), steps, done)
      })
    },
    server(onConnection, onError, onStarted) {
      const underWay = new Set<t.Stream>()
      const accept = (stream: t.Stream) => {
        underWay.add(stream)
        const steps = transforms.map((transform) => transform.create())
        secure(wrap(stream), steps, (error, secured) => {
          underWay.delete(stream)
          if (error) (onError ?? printError)(error)
          else if (secured) onConnection(secured)
        })
      }
      const names = transforms.map((transform) => transform.name)
      const close = transport.server?.(accept, onStarted, names)
      if (!isClose(close)) return undefined
      return (callback) => {
        for (const stream of underWay) stream.source(true, () => undefined)
        // What the handshakes that were just aborted have to say comes first.
        const closed = (error?: Error | null) => callback && setImmediate(callback, error)
        close(closed)
        if (close.length === 0) closed(null)
      }
    },
    stringify(scope) {
      const places = transport.stringify?.(scope)
      if (!places) return undefined
      const secured = transforms.map((transform) => transform.stringify(scope) ?? transform.name)
      return splitAlternatives(places)
        .map((place) => joinSections([place, ...secured]))
        .join(';')
    },
  }
}

type Step = (stream: t.Stream, callback: t.StreamCallback) => void

/** Dials and then secures; what it returns aborts both, and a connection too. */
function dial(
  transport: t.TransportPlugin,
  place: unknown,
  callback: t.StreamCallback,
  secureStream: Step,
): t.Abort {
  let isSettled = false
  let isAborted = false
  let raw: t.Stream | undefined
  const settle: t.StreamCallback = (error, stream) => {
    if (isSettled) return
    isSettled = true
    if (error) callback(error)
    else callback(null, stream)
  }
  const stop = transport.client(place as never, (error, stream) => {
    if (error || !stream)
      return settle(error ?? new Error('the transport gave neither an error nor a stream'))
    raw = stream
    if (isAborted) stream.source(true, () => undefined)
    else secureStream(stream, settle)
  })
  return () => {
    if (isAborted) return
    isAborted = true
    if (raw !== undefined) raw.source(true, () => undefined)
    else if (isClose(stop)) stop()
    settle(new Error('multiserver: aborted'))
  }
}

/** Puts the transforms on a stream, one after the other. Addresses grow with them, and errors have the address so far. */
function secure(stream: t.Stream, steps: readonly Step[], callback: t.StreamCallback): void {
  const [step, ...rest] = steps
  if (step === undefined) return callback(null, stream)
  step(stream, (error, next) => {
    if (error) return callback(Object.assign(error, { address: `${stream.address}~${error.address ?? ''}` }))
    if (!next) throw new Error('a transform gave neither an error nor a stream')
    next.address = `${stream.address}~${next.address ?? ''}`
    next.meta = next.meta || stream.meta
    secure(next, rest, callback)
  })
}

function isClose(value: unknown): value is t.Close {
  return typeof value === 'function'
}

function printError(error: t.StreamError): void {
  console.error(`server error, from ${error.address}`)
  console.error(error)
}

export default Compose
export { Compose as 'module.exports' }
