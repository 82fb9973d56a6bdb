import { small, type Table } from '../table.ts'

const nodeNote =
  'In Node, over the WebRTC of the package wrtc; libp2p has one of its own there, node-datachannel.'
const pageNote = 'Each end is a page in a Chromium of its own, on the WebRTC of the browser.'
const dialNote =
  'Every dial is the first of a new client: its socket to the hub, the signaling server or the relay is in it.'
const pageFigures = ['MB/s']
const pageRows: Table['rows'] = [
  'rtc~shs2 in Chromium',
  'data channel in Chromium',
  'simple-peer in Chromium',
  'PeerJS in Chromium',
  'libp2p webrtc in Chromium',
]

export const webrtc: readonly Table[] = [
  {
    title: 'WebRTC, 64 KiB chunks',
    role: 'send',
    amount: 60,
    rows: ['rtc~shs2', 'rtc~shs', 'data channel', 'simple-peer', 'PeerJS', 'libp2p webrtc'],
    control: 'data channel',
    goals: [
      { over: 'data channel', atLeast: 0.97 },
      { over: 'simple-peer', atLeast: 2 },
      { over: 'PeerJS', atLeast: 1 },
      { over: 'libp2p webrtc', atLeast: 3 },
    ],
    note: nodeNote,
  },
  {
    title: 'one message of 64 B over WebRTC, there and back',
    role: 'echo',
    amount: 1000,
    chunkBytes: small,
    rows: ['rtc~shs2', 'data channel'],
    control: 'data channel',
    note: nodeNote,
  },
  {
    title: 'dial to the first byte, WebRTC, relay first',
    role: 'dial',
    amount: 10,
    rows: ['rtc~shs2', 'simple-peer', 'PeerJS', 'libp2p webrtc', 'data channel'],
    control: 'data channel',
    goals: [
      { over: 'simple-peer', atMost: 1 },
      { over: 'PeerJS', atMost: 1 },
      { over: 'libp2p webrtc', atMost: 1 },
    ],
    note: `${nodeNote} ${dialNote} simple-peer and the data channel have no signaling: the parent of both ends carries it.`,
  },
  {
    title: 'dial to the first byte, WebRTC, direct',
    role: 'dial',
    amount: 10,
    rows: ['rtc~shs2 direct', 'data channel'],
    control: 'data channel',
    goals: [{ over: 'data channel', atMost: 1.3 }],
    note: nodeNote,
  },
  {
    title: 'WebRTC in Chromium, 64 KiB chunks',
    role: 'send',
    amount: 30,
    rows: pageRows,
    control: 'data channel in Chromium',
    goals: [
      { over: 'data channel in Chromium', atLeast: 0.97 },
      { over: 'PeerJS in Chromium', atLeast: 1 },
      { over: 'libp2p webrtc in Chromium', atLeast: 3 },
    ],
    figures: pageFigures,
    note: pageNote,
  },
  {
    title: 'dial to the first byte, WebRTC in Chromium',
    role: 'dial',
    amount: 10,
    rows: pageRows,
    control: 'data channel in Chromium',
    goals: [
      { over: 'PeerJS in Chromium', atMost: 1 },
      { over: 'libp2p webrtc in Chromium', atMost: 1 },
    ],
    note: `${pageNote} ${dialNote} simple-peer and the data channel have their signals carried by the benchmark.`,
  },
]
