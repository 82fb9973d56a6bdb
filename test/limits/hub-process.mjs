/** A hub in a process of its own, which says how much memory it has. */
import { startHub } from 'multiserver/signal-server'
import { measureMemory } from '../support/measure-memory.mjs'

const limits = { relayBytesPerSecond: 2 ** 30, relayBytesPerSecondPerPeer: 2 ** 30, relayBytes: 2 ** 32 }
const hub = await startHub({ port: 0, exemptLoopback: true, limits })

process.on('message', () => process.send({ memory: measureMemory() }))
process.send({ url: hub.url, hubName: hub.hubName })
