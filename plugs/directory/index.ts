/** The directory of a hub: records of what a key serves now, signed by that key. */
export { dialPeer, type DialPeerOptions } from './dial-peer.ts'
export { listPeers, lookup, type FoundPeer, type LookupOptions } from './lookup.ts'
export { publish, type Published, type PublishOptions } from './publish.ts'
