// A driven peer in a namespace of the laboratory, as the package is published: rtc and shs2.
// The types and what each method does are in peer.ts and in ../e2e/harness/peer.d.mts.
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { getHeapSnapshot } from 'node:v8'
import MultiServer from 'multiserver'
import { examineNetwork } from 'multiserver/doctor'
import { generateKeys } from 'multiserver/keys'
import rtc from 'multiserver/plugs/rtc'
import shs2 from 'multiserver/plugs/shs2'
import wrtc from 'wrtc'
import { createPeer } from '../e2e/harness/peer.mjs'
import { measureMemory } from '../support/measure-memory.mjs'

const [, , hub, options] = process.argv
const keys = await generateKeys()
const heard = []
eavesdrop(wrtc.RTCPeerConnection.prototype, heard)
const call = createPeer({
  MultiServer,
  stacks: [[rtc({ hub, ...JSON.parse(options) }), shs2({ keys })]],
  publicKey: keys.publicKey,
  createHash: () => createHash('sha256'),
  measureMemory,
})
/** A soak makes thousands of connections. */
const mostHeard = 1_000
const timers = new Set(['Timeout', 'Immediate'])
const own = {
  heard: () => heard,
  holdings: async () => ({
    threads: readdirSync('/proc/self/task').length,
    handles: process.getActiveResourcesInfo().filter((kind) => !timers.has(kind)).length,
  }),
  ownBytes,
  examine: (more) => examineNetwork({ hub, ...more }),
}

process.on('message', ({ id, name, args }) => {
  const outcome = name in own ? answer(own[name](...args)) : call(name, args)
  // Its parent may have gone meanwhile.
  void outcome.then((said) => process.connected && process.send({ id, outcome: said }))
})
process.on('disconnect', () => process.exit())

/** What a snapshot says that the program itself holds. */
async function ownBytes() {
  const { snapshot, nodes } = JSON.parse(await text(getHeapSnapshot()))
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [typeAt, sizeAt] = [fields.indexOf('type'), fields.indexOf('self_size')]
  const ofV8 = new Set(['code', 'hidden'].map((type) => types[typeAt].indexOf(type)))
  let bytes = 0
  for (let at = 0; at < nodes.length; at += fields.length) {
    if (!ofV8.has(nodes[at + typeAt])) bytes += nodes[at + sizeAt]
  }
  return bytes
}

async function answer(promise) {
  return { value: await promise }
}

/** Keeps what this process's WebRTC was told last of far sides. */
function eavesdrop(prototype, told) {
  const { setRemoteDescription, addIceCandidate } = prototype
  const hear = (...lines) => {
    told.push(...lines)
    told.splice(0, Math.max(0, told.length - mostHeard))
  }
  prototype.setRemoteDescription = function (description) {
    hear(...description.sdp.split(/\r?\n/))
    return setRemoteDescription.call(this, description)
  }
  prototype.addIceCandidate = function (candidate) {
    hear(candidate.candidate)
    return addIceCandidate.call(this, candidate)
  }
}
