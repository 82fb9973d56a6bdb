/** Every number of `expose` and `forward`, each with its unit in the name and its reason beside it. */
export const limits = {
  /** Connections that one `expose` serves: each costs a session of HTTP/2 and, through a hub, threads of WebRTC. */
  peers: 64,
  /** TCP connections that one of them carries: what browsers and databases open, many times over. */
  streamsPerPeer: 256,
  /**
   * What the far side may send of a stream before somebody has read it: 80 Mbit/s at 100 ms. All of a peer together fill
   * at most `streamsPerPeer` of these.
   */
  streamWindowBytes: 1024 * 1024,
  /** Of all streams under way together, so that one does not have to wait for another on a long line. */
  sessionWindowBytes: 16 * 1024 * 1024,
  /** What Node may hold of a session beside that, in millions of bytes: headers and frames that wait to be sent. */
  sessionMemoryMB: 64,
  /** How long a service may take to accept what is forwarded to it. */
  connectTimeoutMs: 10_000,
  /** How long the far side may take to say whether it has: its own time, and that of a slow line. */
  answerTimeoutMs: 20_000,
  /** How often a silent connection is asked whether it is alive. */
  pingEveryMs: 30_000,
  /** Longer than rtc looks for another path (60 s) before it gives a connection up by itself. */
  pingTimeoutMs: 90_000,
  /** For the last bytes of a connection that is left: Ctrl-C should not seem to do nothing. */
  goodbyeMs: 2_000,
  /** Dialing again: full jitter under a bound that doubles between these. */
  redialFirstMs: 500,
  /** Shorter than a TCP connection waits, so that each has one try at least. */
  redialMostMs: 10_000,
  /** A connection that has lasted this long was none of a row of failures. */
  healthyMs: 60_000,
} as const
