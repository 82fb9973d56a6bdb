import { small, type Table } from '../table.ts'

/** One message at a time, there and back. */
export const messages: readonly Table[] = [
  {
    title: 'one message of 64 B over net, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net', 'net 3.8.2', 'TCP'],
    control: 'TCP',
  },
  {
    title: 'one message of 64 B over shs, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net~shs', 'net~shs 3.8.2', 'TCP with boxes', 'TCP'],
    control: 'TCP',
    goals: [{ over: 'TCP with boxes', atMost: 1.1 }],
    note: 'TCP with boxes is a bare socket whose every message is sealed and opened as a frame of shs, with nothing else around it.',
  },
  {
    title: 'one message of 64 B over shs2, there and back',
    role: 'echo',
    amount: 5000,
    chunkBytes: small,
    rows: ['net~shs2', 'TLS 1.3', 'secret-stream', 'libp2p tcp+noise', 'TCP'],
    control: 'TCP',
  },
  {
    title: 'one message of 64 B over ws, there and back',
    role: 'echo',
    amount: 3000,
    chunkBytes: small,
    rows: ['ws~shs2', 'ws', 'ws 3.8.2', 'WebSocket'],
    control: 'WebSocket',
  },
]
