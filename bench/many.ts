import { readdirSync } from 'node:fs'
import { WebRtcLink } from '../plugs/rtc/webrtc-link.ts'
import { loadWebRtc, type WebRtc } from '../plugs/rtc/wrtc.ts'
import type { FramePath } from '../plugs/rtc/frame-path.ts'

/**
 * What WebRTC connections cost a process of Node, and whether it is given back:
 * `node --expose-gc dist/bench/many.js [CONNECTIONS] [ROUNDS]`. Both ends are in this process, so that each counts. Linux only.
 */
const [connections, rounds] = [process.argv[2] ?? '100', process.argv[3] ?? '5'].map(Number) as [
  number,
  number,
]
const webRtc = await loadWebRtc()
const ignore = () => undefined

// What WebRTC itself needs once is no cost of a connection.
await closeAll(await openPair(webRtc))
let before = look()
console.log(
  `one pair was there: ${before.threads} threads, ${before.descriptors} descriptors, ${before.mebibytes} MiB`,
)
for (let round = 0; round < rounds; round++) {
  const links: WebRtcLink[] = []
  while (links.length < connections) links.push(...(await openPair(webRtc)))
  const open = look()
  await closeAll(links)
  // The threads end a moment after their connection has said that it is closed.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const after = look()
  const each = (name: keyof typeof open) => ((open[name] - before[name]) / links.length).toFixed(2)
  console.log(
    `${links.length} connections, each: ${each('threads')} threads, ${each('descriptors')} descriptors, ${each('mebibytes')} MiB;` +
      ` closed: ${after.threads} threads, ${after.descriptors} descriptors, ${after.mebibytes} MiB`,
  )
  before = after
}

async function openPair(implementation: WebRtc): Promise<[WebRtcLink, WebRtcLink]> {
  const makeLink = (initiator: boolean, other: () => WebRtcLink): WebRtcLink =>
    new WebRtcLink({
      initiator,
      webRtc: implementation,
      iceServers: [],
      onCandidate: (found) => found !== null && other().addCandidate(found.candidate, found.mid),
    })
  const client: WebRtcLink = makeLink(true, () => server)
  const server: WebRtcLink = makeLink(false, () => client)
  server.accept(await client.description, { bye: true })
  client.accept(await server.description, { bye: true })
  for (const path of await Promise.all([client.opened, server.opened])) carrySomething(path)
  return [client, server]
}

/** Its buffers exist only once they are used. */
function carrySomething(path: FramePath): void {
  path.start({ onMessage: ignore, onDrain: ignore, onDoubt: ignore, onKind: ignore, onClose: ignore })
  path.send(new Uint8Array(64 * 1024))
}

async function closeAll(links: readonly WebRtcLink[]): Promise<void> {
  for (const link of links) link.close()
  await Promise.all(links.map(({ closed }) => closed))
}

function look(): { threads: number; descriptors: number; mebibytes: number } {
  globalThis.gc?.()
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
    mebibytes: Math.round(process.memoryUsage.rss() / 2 ** 20),
  }
}
