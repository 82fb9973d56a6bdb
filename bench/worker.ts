import { netAlone, netShs, netShs2, rtcShs, wsShs, wsShs2 } from './contestants/multiserver.ts'
import { oldNetAlone, oldNetShs, oldWsShs } from './contestants/multiserver-3.8.2.ts'
import { rawDataChannel } from './contestants/data-channel.ts'
import { rival } from './contestants/rivals.ts'
import { simplePeer } from './contestants/simple-peer.ts'
import { tls13, tls13ChaCha } from './contestants/tls.ts'
import { askFirstByte, askSink, type Contestant, type Link } from './contestant.ts'

/** One end in a process of its own: `worker NAME serve`, or `worker NAME send|dial ADDRESS AMOUNT`. */
const contestants: Record<string, Contestant> = {
  'net~shs': netShs,
  'net~shs 3.8.2': oldNetShs,
  'ws~shs': wsShs,
  'ws~shs 3.8.2': oldWsShs,
  'net~shs2': netShs2,
  'ws~shs2': wsShs2,
  'TLS 1.3': tls13,
  'TLS 1.3 ChaCha20': tls13ChaCha,
  'libp2p tcp+noise': rival('libp2p'),
  'secret-stream': rival('secret-stream'),
  net: netAlone,
  'net 3.8.2': oldNetAlone,
  'rtc~shs': rtcShs,
  'data channel': rawDataChannel,
  'simple-peer': simplePeer,
}

const [name = '', role = '', address = '', amount = '0', chunkBytes = '65536'] = process.argv.slice(2)
const found = contestants[name]
if (found === undefined || process.send === undefined) throw new Error('this is run by bench/main.js')
const end = found

// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit())

const listeners: ((message: unknown) => void)[] = []
const early: unknown[] = []
process.on('message', (message: { link?: unknown }) => {
  if (listeners.length === 0) early.push(message.link)
  for (const listener of listeners) listener(message.link)
})
const link: Link = {
  send: (message) => process.send?.({ link: message }),
  onMessage(listener) {
    listeners.push(listener)
    for (const message of early.splice(0)) listener(message)
  },
}

const roles: Record<string, (amount: number) => Promise<number>> = { send, dial, handshakes, hold }

if (role === 'serve') {
  const { address: own } = await end.serve(link)
  process.send({ address: own })
  process.on('message', (message: { measure?: boolean }) => {
    if (message.measure === true) process.send?.({ rss: memoryNow() })
  })
} else {
  process.send({ result: await roles[role]?.(Number(amount)) })
  if (role === 'hold') await new Promise(() => undefined)
  process.exit()
}

/** Megabytes a second, from the first write until the far side has said that it has everything. */
async function send(megabytes: number): Promise<number> {
  const wire = await end.dial(address, link)
  const chunk = new Uint8Array(Number(chunkBytes))
  await wire.write(Uint8Array.of(askSink))
  const startedAt = performance.now()
  for (let sent = 0; sent < megabytes * 1e6; sent += chunk.length) await wire.write(chunk)
  await wire.end()
  await wire.answer()
  const seconds = (performance.now() - startedAt) / 1000
  return megabytes / seconds
}

/** Milliseconds from the dial to the first byte that came back: the median of `times`. */
async function dial(times: number): Promise<number> {
  const results: number[] = []
  for (let round = 0; round < times; round++) {
    const startedAt = performance.now()
    const wire = await end.dial(address, link)
    await wire.write(Uint8Array.of(askFirstByte))
    await wire.answer()
    results.push(performance.now() - startedAt)
    await wire.close()
  }
  return results.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? 0
}

/** Handshakes a second: so many connections, eight at a time, each up to the first byte that came back. */
async function handshakes(times: number): Promise<number> {
  const startedAt = performance.now()
  let left = times
  const lane = async () => {
    while (left-- > 0) {
      const wire = await end.dial(address, link)
      await wire.write(Uint8Array.of(askFirstByte))
      await wire.answer()
      await wire.close()
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  return times / ((performance.now() - startedAt) / 1000)
}

/** Opens so many connections and keeps them, idle. */
async function hold(times: number): Promise<number> {
  const lane = async () => {
    for (let count = 0; count < times / 8; count++) {
      const wire = await end.dial(address, link)
      await wire.write(Uint8Array.of(askSink))
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  return times
}

/** Resident bytes after a collection. */
function memoryNow(): number {
  globalThis.gc?.()
  return process.memoryUsage().rss
}
