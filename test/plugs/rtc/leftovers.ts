import { createRequire } from 'node:module'
import { afterEach, beforeEach } from 'vitest'
import type { WebRtc } from '../../../plugs/rtc/wrtc.ts'

const wrtc = createRequire(import.meta.url)('wrtc') as WebRtc

/** WebRTC that keeps every connection it makes, with what it was made with, and its data channel. */
export function countingWebRtc(prepare?: (connection: RTCPeerConnection) => void): {
  webRtc: WebRtc
  connections: RTCPeerConnection[]
  channels: RTCDataChannel[]
  configurations: (RTCConfiguration | undefined)[]
} {
  const connections: RTCPeerConnection[] = []
  const channels: RTCDataChannel[] = []
  const configurations: (RTCConfiguration | undefined)[] = []
  function makeConnection(configuration?: RTCConfiguration): RTCPeerConnection {
    const connection = new wrtc.RTCPeerConnection(configuration)
    prepare?.(connection)
    connections.push(connection)
    configurations.push(configuration)
    const configure = connection.setConfiguration.bind(connection)
    connection.setConfiguration = (next) => {
      configurations.push(next)
      configure(next)
    }
    const create = connection.createDataChannel.bind(connection)
    connection.createDataChannel = (label, init) => {
      const channel = create(label, init)
      channels.push(channel)
      return channel
    }
    return connection
  }
  const RTCPeerConnection = makeConnection as unknown as typeof globalThis.RTCPeerConnection
  return { webRtc: { ...wrtc, RTCPeerConnection }, connections, channels, configurations }
}

/** What keeps this process alive now: sockets, servers, timers. */
export function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name !== 'Immediate' && name !== 'CloseReq')
    .toSorted()
}

/** Resolves once `isSo`, looking at every turn of the event loop. */
export async function until(isSo: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const late = performance.now() + withinMs
  while (!isSo()) {
    if (performance.now() > late) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Each test of a file, or of the `describe` that this is called in, leaves nothing that keeps the process alive. */
export function expectNoLeftovers(): void {
  let before: string[] = []
  beforeEach(() => {
    before = resources()
  })
  afterEach(() => untilOnly(before))
}

/** Nothing keeps the process alive that did not before: fewer may, for what runs the tests has timers too. */
export async function untilOnly(before: readonly string[]): Promise<void> {
  try {
    await until(() => added(before).length === 0, 'nothing is left')
  } catch (cause) {
    throw new Error(`left: ${added(before).join()}`, { cause })
  }
}

function added(before: readonly string[]): string[] {
  const known = [...before]
  return resources().filter((name) => {
    const at = known.indexOf(name)
    if (at >= 0) known.splice(at, 1)
    return at < 0
  })
}

export function areClosed(connections: readonly RTCPeerConnection[]): boolean {
  return connections.every(({ connectionState }) => connectionState === 'closed')
}
