/** Every number of the client side, each with its unit in the name and its reason beside it. The hub's are options. */
export const limits = {
  address: {
    /** Longer than any record may carry (4,096 bytes). */
    characters: 8192,
    alternatives: 32,
    sections: 8,
  },
  dial: {
    /** One deadline over everything, from looking at the address to the last transform. */
    timeoutMs: 30_000,
    /** RFC 8305, section 8: how long an equal alternative waits for the one before it. */
    attemptDelayMs: 250,
  },
  handshake: {
    /** The whole handshake of a transform: a byte now and then must not hold it open. */
    timeoutMs: 15_000,
    /** `auth` may ask a person's database, but not for ever. */
    authTimeoutMs: 15_000,
    /** Incoming handshakes under way per listening stack: each costs memory and public-key operations. */
    inFlight: 64,
    /** Of these, from one source address. */
    inFlightPerSource: 16,
  },
  connection: {
    /** How long close() waits for the peer's end. */
    lingerMs: 10_000,
    /** Written and not awaited: beyond it the connection is aborted rather than the memory filled. */
    unsentBytes: 16 * 1024 * 1024,
    /** Small writes of one turn are joined up to this size: one frame of most layers below. */
    joinBytes: 64 * 1024,
    /** Received and not yet read, where the transport can pause: two socket reads of Node. */
    receiveBytes: 128 * 1024,
    /** Received and not yet read, where it cannot (a browser's WebSocket): beyond it RECEIVE_OVERFLOW. */
    unpausableReceiveBytes: 16 * 1024 * 1024,
  },
} as const
