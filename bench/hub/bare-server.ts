import { once } from 'node:events'
import { type WebSocket, WebSocketServer } from 'ws'
import type { HubAnswer } from './hub.ts'

/**
 * What the library ws takes for passing messages on, with nothing around it: two sockets with the same path are a pair, and
 * what comes from one goes to the other unread. No server of signals on ws can do with less.
 */
process.on('disconnect', () => process.exit())

const waiting = new Map<string, WebSocket>()
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('connection', (socket, { url = '' }) => {
  const other = waiting.get(url)
  if (other === undefined) {
    waiting.set(url, socket)
    return
  }
  waiting.delete(url)
  join(socket, other)
  join(other, socket)
})
await once(server, 'listening')
const address = server.address()
const url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
const answer: HubAnswer = { listening: { url, hubName: url } }
process.send?.(answer)

function join(from: WebSocket, to: WebSocket): void {
  from.on('message', (data, isBinary) => to.send(data, { binary: isBinary }))
}
