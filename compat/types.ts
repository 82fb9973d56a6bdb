import type { PullDuplex } from '../plugs/streams.ts'

/*
 * What 3.8.2 takes and gives. A plugin of 3.8.2 is used as it is.
 */

/** A pull-stream with what is known of its far side. */
export interface Stream extends PullDuplex {
  address?: string | undefined
  /** The Ed25519 key that the far side has proved, 32 bytes. */
  remote?: Buffer | undefined
  /** What the server's `auth` gave; undefined on the client's side. */
  auth?: unknown
  /** What the transport wants to tell its users. */
  meta?: unknown
}

/** An error of a stream says which address it is about. */
export type StreamError = Error & { address?: string | undefined }

export type StreamCallback = (error: StreamError | null, stream?: Stream) => void
export type StartedCallback = (error?: Error | null, result?: unknown) => void
/** With a parameter it is asynchronous, and called back when all is closed. */
export type Close = (callback?: (error?: Error | null, results?: unknown) => void) => unknown
export type Abort = () => void

export interface TransportPlugin<Target = never> {
  readonly name: string
  scope(): string | readonly string[]
  client(target: Target, callback: StreamCallback): unknown
  /** Absent, or without a result: it can't listen. `transforms` are the names of those on top, unknown to 3.8.2. */
  server?(
    onConnection: (stream: Stream) => void,
    onStarted?: StartedCallback,
    transforms?: readonly string[],
  ): unknown
  /** What `client` takes, or null for an address of another plugin. */
  parse(text: string): unknown
  stringify?(scope?: string): string | null | undefined
}

export interface TransformPlugin<Target = never> {
  readonly name: string
  /** Without a target it takes the server's side. */
  create(target?: Target): (stream: Stream, callback: StreamCallback) => void
  parse(text: string): unknown
  stringify(scope?: string): string | undefined
}

/** Changes the stream of the transport before the transforms get it. */
export type Wrap = (stream: Stream) => Stream

/** A stack: what `Compose` gives and `MultiServer` takes. */
export interface Stack {
  readonly name: string
  scope(): string | readonly string[]
  /** Takes an address or what `parse` gave. Calls back once; the function that it returns aborts. */
  client(address: string | readonly unknown[], callback: StreamCallback): Abort
  server(
    onConnection: (stream: Stream) => void,
    onError?: ((error: StreamError) => void) | null,
    onStarted?: StartedCallback,
  ): Close | undefined
  parse(address: string): unknown[] | null
  stringify(scope?: string): string | undefined
}
