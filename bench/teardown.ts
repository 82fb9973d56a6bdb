import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isolateWebRtc } from '../plugs/rtc/isolated/index.ts'
import { Session } from '../plugs/rtc/session.ts'
import { WebRtcLink } from '../plugs/rtc/webrtc-link.ts'
import { loadWebRtc, type WebRtc } from '../plugs/rtc/wrtc.ts'

/**
 * How often wrtc takes a process down whose peer goes away while it sends: `node dist/bench/teardown.js [TIMES]`. The far end
 * of a session receives up to four megabytes and goes: with `close()` of the path as our peers do, or with all of its
 * connection at once, as a hostile one may. The sender is a process of its own, begun anew after each crash; isolated, it has yet
 * another for WebRTC, which is all that may crash.
 */
type Way = 'closes' | 'tears down'

/** What the ends tell each other, by way of the parent. */
type Word = { readonly round: number } & (
  | { readonly sdp: string }
  | { readonly candidate: string; readonly mid: string }
  | { readonly over: true; readonly lostWebRtc?: boolean | undefined }
)

const id = new Uint8Array(16)
const [first = '200', way] = process.argv.slice(2)

if (first === 'near') await sendAgainAndAgain(way === 'isolated')
else if (first === 'far') goAgainAndAgain(way === 'closes' ? 'closes' : 'tears down')
else {
  for (const each of ['closes', 'tears down'] as const) {
    const crashes = await countCrashes(Number(first), each)
    const share = ((1000 * crashes) / Number(first)).toFixed(1)
    console.log(`a peer that ${each} while it is sent to: ${crashes} crashes in ${first}, ${share} in 1,000`)
  }
  const lost = await countCrashes(Number(first), 'tears down', 'isolated')
  console.log(
    `a peer that tears down while an isolated one sends: WebRTC lost ${lost} times, the program never`,
  )
}

async function countCrashes(times: number, goes: Way, sends = 'inside'): Promise<number> {
  let [rounds, crashes] = [0, 0]
  while (rounds < times) {
    const self = fileURLToPath(import.meta.url)
    const [near, far] = [fork(self, ['near', sends]), fork(self, ['far', goes])]
    far.on('message', (word: Word) => near.send(word, () => undefined))
    near.on('message', (word: Word) => {
      if (!('over' in word)) return void far.send(word, () => undefined)
      if (word.lostWebRtc === true) crashes += 1
      if (++rounds >= times) near.kill()
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

async function sendAgainAndAgain(isIsolated: boolean): Promise<void> {
  process.on('disconnect', () => process.exit())
  const isolated = isIsolated ? isolateWebRtc() : undefined
  const webRtc = isolated ?? (await loadWebRtc())
  const chunk = new Uint8Array(64 * 1024)
  for (let round = 0; ; round++) {
    const link = openEnd(round, true, webRtc)
    const pid = isolated?.pid
    tell({ round, sdp: await link.description })
    const session = new Session({ id, role: 'client', address: 'rtc:bench', resumeMs: 0 })
    session.addPath(await link.opened)
    const writing = async () => {
      for (;;) await session.write(chunk)
    }
    await writing().catch(() => undefined)
    await link.closed
    tell({ round, over: true, lostWebRtc: isolated?.pid !== pid })
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
  link.accept(sdp, { bye: true })
  tell({ round, sdp: await link.description })
  const path = await link.opened
  const session = new Session({ id, role: 'server', address: 'rtc:bench', resumeMs: 0 })
  session.addPath(path)
  for (let leftBytes = Math.random() * 2 ** 22; leftBytes > 0;)
    leftBytes -= (await session.read())?.length ?? Infinity
  if (goes === 'tears down') return connection?.close()
  // As a path that is not needed any more: nobody hears what still comes, nor acknowledges it.
  path.start({ onMessage: ignore, onDrain: ignore, onDoubt: ignore, onKind: ignore, onClose: ignore })
  path.close()
}

function ignore(): void {}

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
    else if (initiator && 'sdp' in word) link.accept(word.sdp, { bye: true })
  }
  process.on('message', onWord)
  void link.closed.then(() => process.off('message', onWord))
  return link
}

function tell(word: Word): void {
  if (process.connected) process.send?.(word, () => undefined)
}
