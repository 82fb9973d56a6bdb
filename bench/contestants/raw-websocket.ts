import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { Answers } from '../answers.ts'
import { askEcho, askSink, type Contestant } from '../contestant.ts'

/** What a sender may have handed over and not sent: as much as a Node stream of sockets holds several times over. */
const queueBytes = 256 * 1024

/** The library `ws` with nothing around it; the end is a text, for a WebSocket can't be half closed. */
export const rawWebSocket: Contestant = {
  async serve() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    server.on('connection', serveSocket)
    await once(server, 'listening')
    const address = server.address()
    return {
      address: `ws://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
      async close() {
        server.close()
        await once(server, 'close')
      },
    }
  },
  async dial(address) {
    const socket = new WebSocket(address, { perMessageDeflate: false })
    await once(socket, 'open')
    const answers = new Answers()
    socket.on('message', () => answers.arrived())
    return {
      async write(chunk) {
        await new Promise<void>((resolve) => {
          const held = socket.bufferedAmount >= queueBytes
          socket.send(chunk, held ? () => resolve() : undefined)
          if (!held) resolve()
        })
      },
      end() {
        socket.send('end')
        return Promise.resolve()
      },
      answer: () => answers.next(),
      close() {
        socket.terminate()
        return Promise.resolve()
      },
    }
  },
}

function serveSocket(socket: WebSocket): void {
  let asked: number | undefined
  socket.on('message', (data: Buffer, isBinary) => {
    if (asked === undefined) {
      asked = data[0]
      if (asked !== askSink && asked !== askEcho) socket.send(Uint8Array.of(1))
    }
    if (asked === askEcho) socket.send(data)
    if (!isBinary) socket.send(Uint8Array.of(1))
  })
}
