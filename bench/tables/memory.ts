import type { Table } from '../table.ts'

const idleNote =
  'Resident memory after a collection, of two thousand connections that are open after another thousand, which stands apart: the heap grows to its working size with it.'

/** Thousands of handshakes make a round, and memory differs little between rounds. */
const mostRounds = 2

/** Of the server, for each connection that is open. */
export const memory: readonly Table[] = [
  {
    title: 'memory of an idle connection at the server, shs',
    role: 'hold',
    amount: 2000,
    rows: ['net~shs', 'net~shs 3.8.2', 'TCP'],
    control: 'TCP',
    mostRounds,
    goals: [{ over: 'net~shs 3.8.2', atMost: 1 }],
    note: idleNote,
  },
  {
    title: 'memory of an idle connection at the server, shs2',
    role: 'hold',
    amount: 2000,
    rows: ['net~shs2', 'net~shs', 'TLS 1.3', 'TCP'],
    control: 'TCP',
    mostRounds,
    note: idleNote,
  },
  {
    title: 'memory of an idle connection at the server, nothing around it',
    role: 'hold',
    amount: 2000,
    rows: ['net', 'net 3.8.2', 'TCP'],
    control: 'TCP',
    mostRounds,
    note: idleNote,
  },
  {
    title: 'memory of a connection that has carried a megabyte',
    role: 'hold busy',
    amount: 300,
    rows: ['net~shs2', 'net~shs', 'net~shs 3.8.2', 'TLS 1.3', 'TCP'],
    control: 'TCP',
    mostRounds,
    note: 'Resident memory after a collection, of the 126th to the 425th connection.',
  },
]
