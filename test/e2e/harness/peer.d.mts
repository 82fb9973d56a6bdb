import type { MultiServer, Path, StackInput } from '../../../core/multiserver.ts'
import type { Memory } from '../../support/measure-memory.mjs'

/** What a test can ask of a peer, wherever that runs. Connections have numbers; bytes are hex. */
export interface DrivenPeer {
  /**
   * Listens on every stack that can; the address.
   * @param options.echoes sends back what comes, to the end, instead of keeping connections for {@link accepted}
   */
  listen(options?: { readonly echoes: boolean }): Promise<string>
  dial(address: string): Promise<number>
  /** The next connection that came in. */
  accepted(): Promise<number>
  describe(connection: number): Promise<Description>
  /** What `connection.stats()` tells, as JSON has it. */
  stats(connection: number): Promise<Record<string, unknown>>
  /** Resolves once the connection is on this path. */
  pathBecomes(connection: number, path: Path): Promise<void>
  /** This peer's own key. */
  key(): Promise<string>
  /**
   * Sends `bytes` random bytes and reads to the end, both at once. Whoever doesn't end first waits for the peer's
   * end and has a last word after it: as much again, a megabyte at most. Resolves once the connection is released.
   */
  exchange(connection: number, options: { bytes: number; endsFirst: boolean }): Promise<Exchange>
  /** Dials, exchanges as {@link exchange} does, and keeps nothing. */
  talk(address: string, options: { bytes: number; endsFirst: boolean }): Promise<Exchange>
  /** With who echoes: `bytes` random bytes there and back again and again, so many milliseconds apart. */
  converse(connection: number, options: { bytes: number; everyMs: number }): Promise<void>
  conversed(connection: number): Promise<Conversation>
  /** Writes up to `bytes` and tells meanwhile by {@link offered} how far it has come. */
  offer(connection: number, bytes: number): Promise<void>
  offered(connection: number): Promise<number>
  /** Reads at least so many bytes and then no more. */
  readSome(connection: number, bytes: number): Promise<number>
  /** Reads to the end; the code of the error that it ended with, or 'end'. */
  ending(connection: number): Promise<string>
  abort(connection: number): Promise<void>
  /** Aborts it, and keeps nothing of it. */
  forget(connection: number): Promise<void>
  /** What the process has in memory. Node only. */
  memory(): Promise<Memory>
}

export interface Description {
  readonly role: 'client' | 'server'
  readonly remote: string
  /** null where there are no paths. */
  readonly path: Path | null
}

export interface Conversation {
  /** How often the bytes came back as they were sent. */
  readonly rounds: number
  /** Why there are no more: an error's code, or what was wrong with the bytes. */
  readonly failure: string | null
}

export interface Exchange {
  readonly sentSha256: string
  readonly receivedSha256: string
  readonly receivedBytes: number
}

export type Outcome =
  | { readonly value: unknown }
  | {
      readonly failure: {
        readonly code: string
        readonly message: string
        readonly attempts: readonly string[]
      }
    }

export interface PeerOptions {
  readonly MultiServer: typeof MultiServer
  readonly stacks: readonly StackInput[]
  readonly publicKey: Uint8Array
  /** SHA-256 in pieces. */
  readonly createHash: () => { update(bytes: Uint8Array): unknown; digest(): Uint8Array }
  readonly measureMemory?: () => Memory
}

/** Calls one of the methods of {@link DrivenPeer}, and says in plain data how that went. */
export function createPeer(options: PeerOptions): (name: string, args: readonly unknown[]) => Promise<Outcome>
