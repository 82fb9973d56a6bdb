import { netShs, rtcShs } from './contestants/multiserver.ts'
import { oldNetShs } from './contestants/multiserver-3.8.2.ts'
import { rawDataChannel } from './contestants/data-channel.ts'
import { askFirstByte, askSink, type Contestant, type Link } from './contestant.ts'

/** One end in a process of its own: `worker NAME serve`, or `worker NAME send|dial ADDRESS AMOUNT`. */
const contestants: Record<string, Contestant> = {
  'net~shs': netShs,
  'net~shs 3.8.2': oldNetShs,
  'rtc~shs': rtcShs,
  'data channel': rawDataChannel,
}

const [name = '', role = '', address = '', amount = '0'] = process.argv.slice(2)
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

if (role === 'serve') {
  const { address: own } = await end.serve(link)
  process.send({ address: own })
} else {
  process.send({ result: role === 'send' ? await send(Number(amount)) : await dial(Number(amount)) })
  process.exit()
}

/** Megabytes a second, from the first write until the far side has said that it has everything. */
async function send(megabytes: number): Promise<number> {
  const wire = await end.dial(address, link)
  const chunk = new Uint8Array(64 * 1024)
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
