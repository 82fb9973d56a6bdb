import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { WebRtcLink } from '../plugs/rtc/webrtc-link.ts'
import { loadWebRtc, type WebRtc } from '../plugs/rtc/wrtc.ts'

/**
 * How often wrtc takes a process down whose peer goes away while it sends: `node dist/bench/teardown.js [TIMES] [FRAME BYTES]`.
 * The far end receives up to a megabyte and goes: with `close()` as our peers do, or with all of its connection at once, as a
 * hostile one may. The sender is a process of its own, begun anew after each crash.
 */
type Way = 'closes' | 'tears down'

/** What the ends tell each other, by way of the parent. */
type Word = { readonly round: number } & (
  | { readonly sdp: string }
  | { readonly candidate: string; readonly mid: string }
  | { readonly over: true }
)

const queuedBytes = 256 * 1024
const [first = '200', second = '65536', way] = process.argv.slice(2)

if (first === 'near') await sendAgainAndAgain(Number(second))
else if (first === 'far') goAgainAndAgain(way === 'closes' ? 'closes' : 'tears down')
else {
  for (const each of ['closes', 'tears down'] as const) {
    const crashes = await countCrashes(Number(first), Number(second), each)
    const share = ((1000 * crashes) / Number(first)).toFixed(1)
    console.log(
      `a peer that ${each} under messages of ${second} bytes: ${crashes} crashes in ${first}, ${share} in 1,000`,
    )
  }
}

async function countCrashes(times: number, frameBytes: number, goes: Way): Promise<number> {
  let [rounds, crashes] = [0, 0]
  while (rounds < times) {
    const self = fileURLToPath(import.meta.url)
    const [near, far] = [fork(self, ['near', String(frameBytes)]), fork(self, ['far', '', goes])]
    far.on('message', (word: Word) => near.send(word, () => undefined))
    near.on('message', (word: Word) => {
      if (!('over' in word)) far.send(word, () => undefined)
      else if (++rounds >= times) near.kill()
    })
    const [, signal] = (await once(near, 'exit')) as [number | null, NodeJS.Signals | null]
    far.kill()
    if (signal === 'SIGTERM') continue
    if (signal !== 'SIGSEGV') throw new Error(`the sender ended with ${signal ?? 'an error'}`)
    rounds += 1
    crashes += 1
  }
  return crashes
}

async function sendAgainAndAgain(frameBytes: number): Promise<void> {
  process.on('disconnect', () => process.exit())
  const webRtc = await loadWebRtc()
  const frame = new Uint8Array(frameBytes)
  for (let round = 0; ; round++) {
    const link = openEnd(round, true, webRtc)
    tell({ round, sdp: await link.description })
    const path = await link.opened
    const pump = () => {
      // What can't be sent any more shows in a later turn.
      for (let count = 0; count < 64 && path.queuedBytes < queuedBytes; count++) path.send(frame)
      if (!isOver) setImmediate(pump)
    }
    let isOver = false
    void path.closed.then(() => (isOver = true))
    pump()
    await link.closed
    tell({ round, over: true })
  }
}

function goAgainAndAgain(goes: Way): void {
  process.on('disconnect', () => process.exit())
  let round = -1
  process.on('message', (word: Word) => {
    if (word.round === round || !('sdp' in word)) return
    round = word.round
    void receiveAndGo(word, goes)
  })
}

async function receiveAndGo({ round, sdp }: { round: number; sdp: string }, goes: Way): Promise<void> {
  let connection: RTCPeerConnection | undefined
  const webRtc = await loadWebRtc()
  function makeConnection(config?: RTCConfiguration): RTCPeerConnection {
    return (connection = new webRtc.RTCPeerConnection(config))
  }
  const RTCPeerConnection = makeConnection as unknown as WebRtc['RTCPeerConnection']
  const link = openEnd(round, false, { ...webRtc, RTCPeerConnection })
  link.accept(sdp)
  tell({ round, sdp: await link.description })
  const path = await link.opened
  let leftBytes = Math.random() * 2 ** 20
  const onMessage = (message: Uint8Array) => {
    leftBytes -= message.length
    if (leftBytes > 0) return
    if (goes === 'closes') path.close()
    else connection?.close()
  }
  const ignore = () => undefined
  path.start({ onMessage, onDrain: ignore, onDoubt: ignore, onKind: ignore, onClose: ignore })
}

function openEnd(round: number, initiator: boolean, webRtc: WebRtc): WebRtcLink {
  const link = new WebRtcLink({
    initiator,
    webRtc,
    iceServers: [],
    onCandidate: (found) => found !== null && tell({ round, ...found }),
  })
  const onWord = (word: Word) => {
    if (word.round !== round) return
    if ('candidate' in word) link.addCandidate(word.candidate, word.mid)
    else if (initiator && 'sdp' in word) link.accept(word.sdp)
  }
  process.on('message', onWord)
  void link.closed.then(() => process.off('message', onWord))
  return link
}

function tell(word: Word): void {
  if (process.connected) process.send?.(word, () => undefined)
}
