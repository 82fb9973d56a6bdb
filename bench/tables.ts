/** What is measured beside what: each table in turn, its rows round after round. */
export interface Table {
  readonly title: string
  readonly role: Role
  /** Megabytes to send, messages to echo, or connections to make. */
  readonly amount: number
  /** Bytes that are written at a time. @default 65,536 */
  readonly chunkBytes?: number
  /** Names of contestants. The first is ours, and its figure is divided by that of each other one, round by round. */
  readonly rows: readonly [string, ...string[]]
  readonly goals?: readonly Goal[]
}

/** What the quotient over another row is to be: at least so much, or at most where less is better. */
export interface Goal {
  readonly over: string
  readonly atLeast?: number
  readonly atMost?: number
}

/**
 * `send`: MB/s until the far side has said that it has all. `echo`: one message at a time, there and back.
 * `handshakes`: connections a second, eight at a time. `dial`: up to the first byte that came back, one at a time.
 * `hold`: memory of the server for each connection that is open; idle, or after it has carried a megabyte.
 */
export type Role = 'send' | 'echo' | 'handshakes' | 'dial' | 'hold' | 'hold busy'

/** What is told of each role: the first figure is compared. */
export const figuresOf: Record<Role, readonly string[]> = {
  send: ['MB/s', 'CPU s/GiB'],
  echo: ['p50 µs', 'p99 µs'],
  handshakes: ['a second', 'CPU ms each'],
  dial: ['p50 ms', 'p99 ms'],
  hold: ['KiB each'],
  'hold busy': ['KiB each'],
}

const KiB = 1024
const small = 64

export const tables: readonly Table[] = [
  {
    title: 'net, 64 KiB chunks',
    role: 'send',
    amount: 1000,
    rows: ['net', 'net 3.8.2', 'TCP'],
    goals: [
      { over: 'net 3.8.2', atLeast: 1 },
      { over: 'TCP', atLeast: 0.95 },
    ],
  },
  {
    title: 'net, 1 KiB chunks',
    role: 'send',
    amount: 100,
    chunkBytes: KiB,
    rows: ['net', 'net 3.8.2', 'TCP'],
    goals: [{ over: 'net 3.8.2', atLeast: 1.5 }],
  },
  {
    title: 'net, 64 B chunks',
    role: 'send',
    amount: 10,
    chunkBytes: small,
    rows: ['net', 'net 3.8.2', 'TCP'],
  },
  {
    title: 'unix, 64 KiB chunks',
    role: 'send',
    amount: 1000,
    rows: ['unix', 'net', 'unix socket'],
    goals: [{ over: 'net', atLeast: 1 }],
  },
  {
    title: 'unix, 1 KiB chunks',
    role: 'send',
    amount: 100,
    chunkBytes: KiB,
    rows: ['unix', 'net', 'unix socket'],
    goals: [{ over: 'net', atLeast: 1 }],
  },
  { title: 'ws, 64 KiB chunks', role: 'send', amount: 400, rows: ['ws', 'ws 3.8.2', 'WebSocket'] },
  {
    title: 'ws, 1 KiB chunks',
    role: 'send',
    amount: 50,
    chunkBytes: KiB,
    rows: ['ws', 'ws 3.8.2', 'WebSocket'],
  },
  {
    title: 'shs over net, 64 KiB chunks',
    role: 'send',
    amount: 300,
    rows: ['net~shs', 'net~shs 3.8.2', 'boxes alone'],
    goals: [
      { over: 'net~shs 3.8.2', atLeast: 4 },
      { over: 'boxes alone', atLeast: 0.8 },
    ],
  },
  {
    title: 'shs over net, 1 KiB chunks',
    role: 'send',
    amount: 60,
    chunkBytes: KiB,
    rows: ['net~shs', 'net~shs 3.8.2'],
  },
  {
    title: 'shs over net, 64 B chunks',
    role: 'send',
    amount: 6,
    chunkBytes: small,
    rows: ['net~shs', 'net~shs 3.8.2'],
  },
  {
    title: 'shs over ws, 64 KiB chunks',
    role: 'send',
    amount: 200,
    rows: ['ws~shs', 'ws~shs 3.8.2'],
    goals: [{ over: 'ws~shs 3.8.2', atLeast: 5 }],
  },
  { title: 'shs over unix, 64 KiB chunks', role: 'send', amount: 300, rows: ['unix~shs', 'net~shs'] },
  {
    title: 'shs2 over net, 64 KiB chunks',
    role: 'send',
    amount: 300,
    rows: [
      'net~shs2',
      'TLS 1.3',
      'TLS 1.3 ChaCha20',
      'secret-stream',
      'libp2p tcp+noise',
      'ChaCha20-Poly1305 alone',
    ],
    goals: [{ over: 'TLS 1.3', atLeast: 1 }],
  },
  {
    title: 'shs2 over net, 1 KiB chunks',
    role: 'send',
    amount: 60,
    chunkBytes: KiB,
    rows: ['net~shs2', 'TLS 1.3', 'TLS 1.3 ChaCha20', 'secret-stream', 'libp2p tcp+noise'],
  },
  { title: 'shs2 over ws, 64 KiB chunks', role: 'send', amount: 200, rows: ['ws~shs2', 'ws~shs', 'ws'] },
  {
    title: 'WebRTC, 64 KiB chunks',
    role: 'send',
    amount: 100,
    rows: ['rtc~shs', 'rtc~shs2', 'data channel', 'simple-peer'],
    goals: [
      { over: 'data channel', atLeast: 0.97 },
      { over: 'simple-peer', atLeast: 2 },
    ],
  },
  {
    title: 'one message of 64 B, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net', 'net 3.8.2', 'TCP'],
  },
  {
    title: 'one message of 64 B over shs, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net~shs', 'net~shs 3.8.2', 'TCP'],
    goals: [{ over: 'TCP', atMost: 1.1 }],
  },
  {
    title: 'one message of 64 B over shs2, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net~shs2', 'TLS 1.3', 'secret-stream', 'libp2p tcp+noise', 'TCP'],
  },
  {
    title: 'one message of 64 B over ws, there and back',
    role: 'echo',
    amount: 3000,
    chunkBytes: small,
    rows: ['ws~shs2', 'ws', 'ws 3.8.2', 'WebSocket'],
  },
  {
    title: 'one message of 64 B over WebRTC, there and back',
    role: 'echo',
    amount: 1000,
    chunkBytes: small,
    rows: ['rtc~shs2', 'data channel'],
  },
  {
    title: 'handshakes of shs',
    role: 'handshakes',
    amount: 1000,
    rows: ['net~shs', 'net~shs 3.8.2'],
    goals: [{ over: 'net~shs 3.8.2', atLeast: 2 }],
  },
  {
    title: 'handshakes of shs2',
    role: 'handshakes',
    amount: 500,
    rows: ['net~shs2', 'net~shs', 'TLS 1.3', 'secret-stream'],
  },
  {
    title: 'dial to the first byte',
    role: 'dial',
    amount: 30,
    rows: ['net~shs2', 'net~shs', 'net~shs 3.8.2', 'ws~shs2', 'TLS 1.3'],
  },
  {
    title: 'dial to the first byte, WebRTC',
    role: 'dial',
    amount: 10,
    rows: ['rtc~shs2', 'rtc~shs2 relay first', 'data channel'],
    goals: [{ over: 'data channel', atMost: 1.3 }],
  },
  {
    title: 'memory of an idle connection at the server',
    role: 'hold',
    amount: 3000,
    rows: ['net~shs', 'net~shs 3.8.2'],
    goals: [{ over: 'net~shs 3.8.2', atMost: 1 }],
  },
  {
    title: 'memory of an idle connection at the server, shs2',
    role: 'hold',
    amount: 3000,
    rows: ['net~shs2', 'net~shs', 'TLS 1.3'],
  },
  {
    title: 'memory of an idle connection at the server, nothing around it',
    role: 'hold',
    amount: 3000,
    rows: ['net', 'net 3.8.2', 'TCP'],
  },
  {
    title: 'memory of a connection that has carried a megabyte',
    role: 'hold busy',
    amount: 400,
    rows: ['net~shs2', 'net~shs', 'net~shs 3.8.2', 'TLS 1.3'],
  },
]
