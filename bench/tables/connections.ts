import type { Table } from '../table.ts'

export const connections: readonly Table[] = [
  {
    title: 'handshakes of shs, eight at a time',
    role: 'handshakes',
    amount: 600,
    rows: ['net~shs', 'net~shs 3.8.2', 'TCP'],
    control: 'TCP',
    goals: [{ over: 'net~shs 3.8.2', atLeast: 2 }],
  },
  {
    title: 'handshakes of shs2, eight at a time',
    role: 'handshakes',
    amount: 400,
    rows: ['net~shs2', 'net~shs', 'TLS 1.3', 'secret-stream', 'TCP'],
    control: 'TCP',
  },
  {
    title: 'dial to the first byte',
    role: 'dial',
    amount: 30,
    rows: [
      'net~shs2',
      'net~shs',
      'net~shs 3.8.2',
      'ws~shs2',
      'TLS 1.3',
      'secret-stream',
      'libp2p tcp+noise',
      'TCP',
    ],
    control: 'TCP',
  },
]
