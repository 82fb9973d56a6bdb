import Peer from 'simple-peer/simplepeer.min.js'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { WebRtcLinkOptions } from './webrtc-link.ts'
import type { WebRtc } from './wrtc.ts'

/** simple-peer's options are fixed: what differs is who offers, and what is gathered with. */
export function createPeer(options: WebRtcLinkOptions, webRtc: WebRtc): Peer.Instance {
  const { iceServers } = options
  return new Peer({
    initiator: options.initiator,
    objectMode: true,
    trickle: true,
    // What simple-peer would otherwise wait for keeps a process alive for five seconds.
    iceCompleteTimeout: 1,
    channelConfig: { negotiated: true, id: 0 },
    channelName: 'multiserver.1',
    config: configuration(options, iceServers instanceof Promise ? [] : iceServers),
    wrtc: webRtc,
  })
}

function configuration(
  { iceTransportPolicy }: WebRtcLinkOptions,
  iceServers: readonly IceServer[],
): RTCConfiguration {
  const servers = { iceServers: iceServers.map(asRtcIceServer) }
  return iceTransportPolicy === undefined ? servers : { ...servers, iceTransportPolicy }
}

function asRtcIceServer({ urls, username, credential }: IceServer): RTCIceServer {
  return username === undefined || credential === undefined ? { urls } : { urls, username, credential }
}

/** What simple-peer has made, as far as it has. */
export interface KeptConnection {
  readonly webRtc: WebRtc
  readonly connection: () => RTCPeerConnection | undefined
  readonly channel: () => RTCDataChannel | undefined
}

interface KeptEvents {
  /** This side's description as it is made; gathering begins when it is set. */
  readonly onDescription: (sdp: string | undefined) => void
  readonly onChannelOpen: () => void
}

/** Passes the implementation on to simple-peer and keeps what it makes: its `wrtc` option is the way to that. */
export function keepConnection(
  options: WebRtcLinkOptions,
  { onDescription, onChannelOpen }: KeptEvents,
): KeptConnection {
  const { webRtc, iceServers } = options
  let connection: RTCPeerConnection | undefined
  let channel: RTCDataChannel | undefined
  function makeConnection(config?: RTCConfiguration): RTCPeerConnection {
    const made = new webRtc.RTCPeerConnection(config)
    connection = made
    const create = made.createDataChannel.bind(made)
    made.createDataChannel = (label, init) => {
      channel = create(label, init)
      channel.addEventListener('open', onChannelOpen, { once: true })
      return channel
    }
    const setLocalDescription = made.setLocalDescription.bind(made)
    made.setLocalDescription = async (description) => {
      onDescription(description?.sdp)
      if (iceServers instanceof Promise)
        made.setConfiguration(configuration(options, await known(iceServers)))
      await setLocalDescription(description)
    }
    // simple-peer would end the connection, or print a line where it has been closed meanwhile.
    const addIceCandidate = made.addIceCandidate.bind(made)
    made.addIceCandidate = (candidate?: RTCIceCandidateInit | null) =>
      addIceCandidate(candidate ?? undefined).catch(() => undefined)
    return withKnownDescriptions(made)
  }
  return {
    webRtc: { ...webRtc, RTCPeerConnection: makeConnection as unknown as typeof RTCPeerConnection },
    connection: () => connection,
    channel: () => channel,
  }
}

/**
 * The same connection, which answers by what was set when it is asked for a description. simple-peer looks at them as it describes itself and with each
 * candidate that it is told, and wrtc writes them out on the thread that looks while another adds candidates: it crashes now and then.
 */
function withKnownDescriptions(connection: RTCPeerConnection): RTCPeerConnection {
  let remoteDescription: RTCSessionDescriptionInit | null = null
  const setRemoteDescription = connection.setRemoteDescription.bind(connection)
  connection.setRemoteDescription = async (description) => {
    await setRemoteDescription(description)
    remoteDescription = description
  }
  // A browser's methods and setters refuse to be called on anything but the connection itself.
  return new Proxy(connection, {
    get(target, name) {
      // Where there is none simple-peer takes the one that it has just set.
      if (name === 'localDescription') return null
      if (name === 'remoteDescription') return remoteDescription
      const value: unknown = Reflect.get(target, name, target)
      const isMethod = typeof value === 'function' && !Object.hasOwn(target, name)
      return isMethod ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  })
}

/** simple-peer writes its own code into an error that it is given, and that one has others to read it. */
function known(iceServers: Promise<readonly IceServer[]>): Promise<readonly IceServer[]> {
  return iceServers.catch((cause: Error) => {
    throw new Error('there are no servers to gather with', { cause })
  })
}
