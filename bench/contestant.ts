/** One end of something to be measured: a library with its transport, in a process of its own. */
export interface Contestant {
  /**
   * Starts, beside the serving end, what introduces both ends to each other (a hub, a signaling server, a relay), and gives
   * its address. It runs in Node; the rest runs in a page too where the name of a row says so.
   */
  introduce?(): Promise<string>
  /**
   * Accepts connections and gives what the dialing side needs. The first byte of a connection says what is wanted, see below.
   * `introducer` is what `introduce` gave, or empty.
   */
  serve(link: Link, introducer: string): Promise<Serving>
  /** Connects, and resolves when the connection can be written to. */
  dial(address: string, link: Link): Promise<Wire>
}

export interface Serving {
  readonly address: string
  /** Of what would be left behind when the process ends. */
  close(): Promise<void>
}

export interface Wire {
  /** Resolves when there is room for more. */
  write(chunk: Uint8Array): Promise<void>
  end(): Promise<void>
  /** The next chunk that comes back. */
  answer(): Promise<void>
  close(): Promise<void>
}

/** To the process of the other end, by way of the parent. */
export interface Link {
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
}

/** One byte back at once. */
export const askFirstByte = 0
/** All bytes up to the end are read, and then one byte comes back. */
export const askSink = 1
/** Every chunk comes back, this one too. */
export const askEcho = 2
