import { boxes, chaCha } from './contestants/bare-cipher.ts'
import { multiserver } from './contestants/multiserver.ts'
import { oldNetAlone, oldNetShs, oldWsAlone, oldWsShs } from './contestants/multiserver-3.8.2.ts'
import { rawDataChannel } from './contestants/data-channel.ts'
import { rawTcp, rawUnix } from './contestants/raw-socket.ts'
import { rawWebSocket } from './contestants/raw-websocket.ts'
import { rival } from './contestants/rivals.ts'
import { simplePeer } from './contestants/simple-peer.ts'
import { tls13, tls13ChaCha } from './contestants/tls.ts'
import type { Link } from './contestant.ts'
import { dial, echo, handshakes, hold, holdBusy, send, type Work } from './roles.ts'
import type { Role } from './tables.ts'

/** One end in a process of its own: `worker NAME serve`, or `worker NAME ROLE ADDRESS AMOUNT CHUNK_BYTES`. */
const others = {
  'net 3.8.2': oldNetAlone,
  'net~shs 3.8.2': oldNetShs,
  'ws 3.8.2': oldWsAlone,
  'ws~shs 3.8.2': oldWsShs,
  TCP: rawTcp,
  'unix socket': rawUnix,
  WebSocket: rawWebSocket,
  'boxes alone': boxes,
  'ChaCha20-Poly1305 alone': chaCha,
  'TLS 1.3': tls13,
  'TLS 1.3 ChaCha20': tls13ChaCha,
  'libp2p tcp+noise': rival('libp2p'),
  'secret-stream': rival('secret-stream'),
  'data channel': rawDataChannel,
  'simple-peer': simplePeer,
  'rtc~shs2 relay first': multiserver('rtc~shs2', { relay: 'first' }),
}
const roles: Record<Role, (work: Work) => Promise<number[]>> = {
  send,
  echo,
  handshakes,
  dial,
  hold,
  'hold busy': holdBusy,
}

const [name = '', role = '', address = '', amount = '0', chunkBytes = '65536'] = process.argv.slice(2)
if (process.send === undefined) throw new Error('this is run by bench/main.js')
const end = (others as Record<string, typeof rawTcp>)[name] ?? multiserver(name)

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
  process.on('message', (message: { measure?: boolean }) => {
    if (message.measure === true) process.send?.({ rss: memoryNow() })
  })
} else {
  const work = { amount: Number(amount), chunkBytes: Number(chunkBytes), open: () => end.dial(address, link) }
  const figures = await roles[role as Role](work)
  const { user, system } = process.cpuUsage()
  process.send({ figures, cpuMs: (user + system) / 1000 })
  if (role.startsWith('hold')) await new Promise(() => undefined)
  process.exit()
}

/** Resident bytes after a collection. */
function memoryNow(): number {
  globalThis.gc?.()
  return process.memoryUsage().rss
}
