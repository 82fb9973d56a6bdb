/**
 * The ideas, and nothing else: what a transport and a transform are, and what the stack hands them.
 * Only `stack.ts` turns a {@link ByteStream} into a `Connection`.
 */

/** A chunk as it is read: it belongs to the reader from then on. */
export type Bytes = Uint8Array<ArrayBuffer>

/**
 * An ordered, reliable stream of bytes in both directions. Chunk boundaries carry no meaning.
 * At most one `read` and one `write` are outstanding at a time; the Connection sees to that.
 */
export interface ByteStream {
  /** The next bytes (never empty), or null once the peer has ended. Rejects when the stream broke. */
  read(): Promise<Bytes | null>
  /** Settles when the stream is ready for more: awaiting it is the backpressure. */
  write(chunk: Uint8Array): Promise<void>
  /** No more writes. Settles when all that was written, and the end, has been handed on. */
  end(): Promise<void>
  /** Releases everything at once; outstanding and later calls reject with `reason`. Never throws. */
  abort(reason?: Error): void
  /** Resolves, and never rejects, when nothing of the stream is left: no socket, no timer. */
  readonly closed: Promise<void>
  readonly info?: StreamInfo | undefined
}

/** One way that the bytes of an rtc connection travel. */
export type Path = 'direct' | 'turn' | 'relay'

/** What a transport knows about its stream. All of it is optional. */
export interface StreamInfo {
  /** The far side as an address section, for example `net:192.0.2.1:50000`. */
  readonly address?: string | undefined
  /** What limits per source address count by; absent where there is no such thing. */
  readonly source?: string | undefined
  /** The path in use now (rtc). */
  readonly path?: Path | undefined
  /** How many of the bytes written the far side is known to have (rtc). Grows as long as it takes some. */
  readonly deliveredBytes?: number | undefined
  /** Calls back at each change of the path; the returned function stops that. */
  onPath?(listener: (path: Path) => void): () => void
  /** Figures for people. */
  stats?(): Record<string, unknown>
}

/** Where an address is meant to be reachable from. `private` is an old name of `local`. */
export type Scope = 'device' | 'local' | 'public'

/** Stages of one path (rtc): the relay's circuit is open at both ends; ICE has a pair of candidates; DTLS and a data channel stand. */
export type PathStage = 'relay' | 'ice' | 'dtls'

/**
 * Stages of a dial, in the order in which a transport or the stack reports them, each once. Paths are tried side by side: their stages
 * come as they come, and no more of them once one path is there.
 */
export type DialStage = 'hub' | 'introduced' | 'answered' | PathStage | 'path' | 'transport' | 'secured'

export interface DialContext {
  /** Aborts with the reason that the dial is to fail with. */
  readonly signal: AbortSignal
  /** The first key that the address names: whom a hub is asked for. */
  readonly remoteKey?: Uint8Array | undefined
  /** The section names after the transport, for example `['shs']`. */
  readonly transforms: readonly string[]
  /**
   * How near the place may be that is connected to; absent: anywhere. Whoever resolves names asks `isWithinReach` for
   * each address before it is connected to.
   */
  readonly reach?: Scope | undefined
  readonly onProgress?: ((stage: DialStage) => void) | undefined
}

export interface ListenContext {
  /** Aborts when the server is closed while it is still starting. */
  readonly signal: AbortSignal
  /** The identity of the first transform that has one: rtc signs its registration with it. */
  readonly identity?: Identity | undefined
  readonly transforms: readonly string[]
  /**
   * Whether the last of `transforms` passes streams on (`Transform.takeOver`): what a client's address has behind it is
   * spoken with somebody else, and may be anything.
   */
  readonly passesOn?: boolean | undefined
  /** What the addresses of this stack have behind the transport's section, for example `['shs:KEY']`. */
  readonly sections?: readonly string[] | undefined
  /** Resolves once every stack of this server listens or has failed: what they print can be given to others. */
  readonly started?: Promise<void> | undefined
  /** For what concerns the listening itself after it began, such as a lost hub. */
  readonly onError: (error: Error) => void
  /** For a connection that failed before it was handed over. */
  readonly onConnectionError: (error: Error) => void
}

/** A way to get bytes to a peer: net, ws, rtc, … */
export interface Transport {
  /** The name of its address section. */
  readonly name: string
  /** Whether `end()` leaves the other direction open. */
  readonly halfClose: boolean
  /** From where peers can get at its listener; empty when it only dials. Absent: nobody knows, so from anywhere. */
  readonly reach?: readonly Scope[] | undefined
  /** The section as a place that can be dialed, or null when it is not this transport's or is malformed. */
  parse(section: string): Target | null
  /** The sections to print for a scope, each escaped as it stands in an address. */
  addresses(scope: Scope): string[]
  /** Resolves once connections are accepted. Absent: this transport only dials. */
  listen?(accept: (stream: ByteStream) => void, context: ListenContext): Promise<Listener>
}

export interface Target {
  dial(context: DialContext): Promise<ByteStream>
}

export interface Listener {
  addresses(scope: Scope): string[]
  /** Whether it can be reached now, where that may change (rtc: registered at its hub). Absent: always. */
  isReachable?(): boolean
  /** Stops accepting, and nothing else. */
  close(): Promise<void>
}

/** A layer on top of a stream: shs, shs2, noauth, tunnel. */
export interface Transform {
  readonly name: string
  /**
   * 2 for shs2, 1 for shs, 0 for what proves nothing of the far side (noauth, tunnel). With a strength it says alone who
   * the far side is. Absent: what the layers below have proved goes on to hold, as under compression.
   */
  readonly strength?: number | undefined
  readonly identity?: Identity | undefined
  /** The section to print, for example `shs:KEY`; '' when there is no key to print. */
  section(): string
  /** The section as something to connect to, or null when it is not this transform's or is malformed. */
  parse(section: string): SecureTarget | null
  /** The server's side. It owns `inner` from then on and aborts it when it rejects. */
  accept(inner: ByteStream, context: AcceptContext): Promise<Secured>
  /**
   * Instead of `accept`, for a server that makes no connection of the stream but passes it on, as a bridge does. What
   * stands behind it in the stack is for dialing only. Resolves when the stream is on its way.
   */
  takeOver?(inner: ByteStream, context: AcceptContext): Promise<Passage>
  /** Whether it has a client's side only, and so its stack. @default false */
  readonly dialsOnly?: boolean | undefined
  /**
   * Why it is not to be put on top of `transport` and the transforms `below`, when it is not: the stack is STACK_INVALID
   * then.
   */
  refuses?(transport: Transport, below: readonly Transform[]): string | undefined
}

export interface AcceptContext {
  readonly signal: AbortSignal
  /** The key that the layers below have proved, 32 bytes. */
  readonly remote?: Uint8Array | undefined
}

/** A stream that was taken over: the server that accepted it ends it when it is closed. */
export interface Passage {
  /** Resolves, and never rejects, when nothing of it is left. */
  readonly closed: Promise<void>
  /** Releases everything at once. Never throws. */
  abort(reason?: Error): void
}

export interface SecureTarget {
  /** The key that the far side must prove, 32 bytes. */
  readonly key?: Uint8Array | undefined
  /** The client's side. It owns `inner` from then on and aborts it when it rejects. */
  connect(inner: ByteStream, context: { readonly signal: AbortSignal }): Promise<Secured>
}

export interface Secured {
  readonly stream: ByteStream
  /** The Ed25519 key that the far side has proved, 32 bytes. */
  readonly remote?: Uint8Array | undefined
  /** What the server's `auth` gave. */
  readonly auth?: unknown
  /** Handshake hash, for channel binding. */
  readonly binding?: Uint8Array | undefined
}

/** An Ed25519 key that can live elsewhere: values or promises. */
export interface Identity {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** A 64-byte Ed25519 signature. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
  /**
   * X25519 of this identity's converted secret key with an X25519 public key, 32 bytes, which the caller may
   * overwrite; throws on an all-zero result.
   */
  dh(x25519PublicKey: Uint8Array): Uint8Array | Promise<Uint8Array>
}
