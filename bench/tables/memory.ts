import type { Table } from '../table.ts'

const idleNote =
  'Resident memory after a collection, of the 1,001st to the 4,000th connection; the first thousand apart: the heap grows to its working size with them.'

/** Of the server, for each connection that is open. */
export const memory: readonly Table[] = [
  {
    title: 'memory of an idle connection at the server, shs',
    role: 'hold',
    amount: 3000,
    rows: ['net~shs', 'net~shs 3.8.2', 'TCP'],
    control: 'TCP',
    goals: [{ over: 'net~shs 3.8.2', atMost: 1 }],
    note: idleNote,
  },
  {
    title: 'memory of an idle connection at the server, shs2',
    role: 'hold',
    amount: 3000,
    rows: ['net~shs2', 'net~shs', 'TLS 1.3', 'TCP'],
    control: 'TCP',
    note: idleNote,
  },
  {
    title: 'memory of an idle connection at the server, nothing around it',
    role: 'hold',
    amount: 3000,
    rows: ['net', 'net 3.8.2', 'TCP'],
    control: 'TCP',
    note: idleNote,
  },
  {
    title: 'memory of a connection that has carried a megabyte',
    role: 'hold busy',
    amount: 400,
    rows: ['net~shs2', 'net~shs', 'net~shs 3.8.2', 'TLS 1.3', 'TCP'],
    control: 'TCP',
    note: 'Resident memory after a collection, of 400 connections that are open after another hundred.',
  },
]
