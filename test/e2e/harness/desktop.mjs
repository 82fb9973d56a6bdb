// A peer in a process of its own, made of the package as it is published. It listens on no port, unless told `ws`.
import { createHash } from 'node:crypto'
import MultiServer from 'multiserver'
import { isolateWebRtc } from 'multiserver/isolated-webrtc'
import { generateKeys } from 'multiserver/keys'
import rtc from 'multiserver/plugs/rtc'
import shs from 'multiserver/plugs/shs'
import shs2 from 'multiserver/plugs/shs2'
import ws from 'multiserver/plugs/ws'
import { measureMemory } from '../../support/measure-memory.mjs'
import { createPeer } from './peer.mjs'

const [, , transport, hub, way] = process.argv
// No candidate of its own is a relayed one: the way through the hub is all that is left.
const relayed = way === 'relayed' ? { relay: 'first', iceTransportPolicy: 'relay' } : {}
// wrtc may crash when a peer tears down what is being sent into.
const isolated = way === 'isolated' ? { wrtc: isolateWebRtc() } : {}
const keys = await generateKeys()
const call = createPeer({
  MultiServer,
  stacks: [shs({ keys }), shs2({ keys })].map((secret) => [
    transport === 'ws' ? ws() : rtc({ hub, resumeMs: 15_000, ...relayed, ...isolated }),
    secret,
  ]),
  publicKey: keys.publicKey,
  createHash: () => createHash('sha256'),
  measureMemory,
})

process.on('message', ({ id, name, args }) => {
  void call(name, args).then((outcome) => process.send({ id, outcome }))
})
process.on('disconnect', () => process.exit())
