// A driven peer in a namespace of the laboratory, as the package is published: rtc and shs2.
// The types and what each method does are in peer.ts and in ../e2e/harness/peer.d.mts.
import { createHash } from 'node:crypto'
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
const call = createPeer({
  MultiServer,
  stacks: [[rtc({ hub, wrtc: eavesdrop(wrtc, heard), ...JSON.parse(options) }), shs2({ keys })]],
  publicKey: keys.publicKey,
  createHash: () => createHash('sha256'),
  measureMemory,
})
const own = {
  heard: () => heard,
  examine: (more) => examineNetwork({ hub, ...more }),
}

process.on('message', ({ id, name, args }) => {
  const outcome = name in own ? answer(own[name](...args)) : call(name, args)
  // Its parent may have gone meanwhile.
  void outcome.then((said) => process.connected && process.send({ id, outcome: said }))
})
process.on('disconnect', () => process.exit())

async function answer(promise) {
  return { value: await promise }
}

/** The same WebRTC, with a list of what it is told of the far side. */
function eavesdrop(implementation, told) {
  class RTCPeerConnection extends implementation.RTCPeerConnection {
    setRemoteDescription(description) {
      told.push(...description.sdp.split(/\r?\n/))
      return super.setRemoteDescription(description)
    }
    addIceCandidate(candidate) {
      told.push(candidate.candidate)
      return super.addIceCandidate(candidate)
    }
  }
  return { ...implementation, RTCPeerConnection }
}
