import { Compose } from './compose.ts'
import { splitAlternatives } from './sections.ts'
import type * as t from './types.ts'

export type * from './types.ts'

/** A plugin of 3.8.2 in a list of its own with its transforms, or what `Compose` gave. */
export type StackInput = t.Stack | readonly [t.TransportPlugin, ...t.TransformPlugin[]]

export interface MultiServer {
  readonly name: string
  /**
   * Dials the first alternative, in the order of the address, that a stack understands. Calls back once; the
   * function that it returns aborts.
   */
  client(address: string | readonly string[], callback: t.StreamCallback): t.Abort
  /**
   * Starts every stack.
   * @param onError gets the errors of single connections; without it they are printed
   * @param onStarted gets the first error, or null when all have started; without it an error is printed
   */
  server(
    onConnection: (stream: t.Stream) => void,
    onError?: ((error: t.StreamError) => void) | null,
    onStarted?: t.StartedCallback,
  ): t.Close
  /** @param scope @default 'device' */
  stringify(scope?: string): string
  /** What the first stack that understands it makes of each alternative; null for one that none does. */
  parse(address: string): (unknown[] | null)[]
}

/**
 * The interface of multiserver 3.8.2 over the transports and transforms of this package.
 *
 * @param wrap changes the stream of a transport before the transforms get it
 */
export function MultiServer(inputs: readonly StackInput[], wrap?: t.Wrap): MultiServer {
  const stacks = inputs.map((input) => (isList(input) ? Compose(input, wrap) : input))
  const name = stacks.map((stack) => stack.name).join(';')
  return {
    name,
    client(address, callback) {
      for (const alternative of splitAlternatives(address)) {
        const stack = stacks.find((candidate) => candidate.parse(alternative))
        if (stack !== undefined) return stack.client(alternative, callback)
      }
      callback(new Error(`could not connect to:${String(address)}, only know:${name}`))
      return () => undefined
    },
    server(onConnection, onError, onStarted = printError) {
      const started = gather(stacks.length, onStarted)
      const closes = stacks
        .map((stack) => stack.server(onConnection, onError, started()))
        .filter((close) => typeof close === 'function')
      return (callback) => {
        if (callback === undefined) return closes.forEach((close) => close())
        const waiting = closes.filter((close) => close.length > 0)
        const closed = gather(waiting.length, callback)
        for (const close of closes) {
          if (close.length > 0) close(closed())
          else close()
        }
      }
    },
    stringify(scope = 'device') {
      return stacks
        .filter((stack) => [stack.scope()].flat().includes(scope))
        .flatMap((stack) => stack.stringify(scope) || [])
        .join(';')
    },
    parse(address) {
      return splitAlternatives(address).map((alternative) => {
        const parsed = stacks.map((stack) => stack.parse(alternative))
        return parsed.find((targets) => targets !== null) ?? null
      })
    },
  }
}

/** Makes `count` callbacks; calls back with the first error, or with what all were given once they have been called. */
function gather(count: number, callback: t.StartedCallback): () => (...result: unknown[]) => void {
  const results: unknown[][] = []
  let made = 0
  let left = count
  let isOver = false
  const finish = (error: Error | null) => {
    if (isOver) return
    isOver = true
    if (error) callback(error)
    else callback(null, results)
  }
  if (count === 0) finish(null)
  return () => {
    const index = made++
    return (error, ...rest) => {
      if (error) return finish(error as Error)
      results[index] = [error, ...rest]
      left -= 1
      if (left === 0) finish(null)
    }
  }
}

function printError(error?: Error | null): void {
  if (error) console.error(`multiserver: could not start: ${error.message}`)
}

function isList(input: StackInput): input is readonly [t.TransportPlugin, ...t.TransformPlugin[]] {
  return Array.isArray(input)
}

export default MultiServer
export { MultiServer as 'module.exports' }
