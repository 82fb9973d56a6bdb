export type { WebSocketHandlers, WebSocketLike, WebSocketOptions } from './websocket.ts'
import type { WebSocketLike, WebSocketOptions } from './websocket.ts'

/** Browsers tell how much waits to be sent, but not when it is gone: above this we look again until it is. */
const sendBufferBytes = 1024 * 1024
const lookAgainMs = 5

/** The browser's WebSocket. It can't be paused, and it bounds incoming messages by itself. */
export function openWebSocket(url: string, options: WebSocketOptions): WebSocketLike {
  const socket = new WebSocket(url, [...(options.protocols ?? [])])
  options.onConnect?.()
  socket.binaryType = 'arraybuffer'
  return {
    async send(data) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error('the WebSocket is not open')
      socket.send(data as Uint8Array<ArrayBuffer> | string)
      while (socket.bufferedAmount > sendBufferBytes) {
        if (socket.readyState !== WebSocket.OPEN) throw new Error('the WebSocket was closed')
        await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
      }
    },
    get queuedBytes() {
      return socket.bufferedAmount
    },
    isStranded: false,
    seesPings: false,
    close: (code, reason) => socket.close(code, reason),
    // A page can't cut the line; a code of the private range says that this is no clean end.
    terminate: () => socket.close(4000, 'aborted'),
    on({ onOpen, onMessage, onClose }) {
      if (onOpen !== undefined) socket.addEventListener('open', onOpen)
      socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
        onMessage(typeof data === 'string' ? data : new Uint8Array(data))
      })
      socket.addEventListener('close', ({ code, reason }) => onClose({ code, reason }))
    },
  }
}
