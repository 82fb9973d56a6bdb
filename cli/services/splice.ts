import { constants, type Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'

/**
 * Joins a TCP connection with a stream: bytes both ways at the pace of who reads them, the end of each direction alone,
 * and a reset of one is a reset of the other. `socket` must be made with `allowHalfOpen`.
 */
export function splice(socket: Socket, stream: Http2Stream): void {
  // They follow from 'close'.
  socket.on('error', () => undefined)
  stream.on('error', () => undefined)
  socket.pipe(stream)
  socket.once('close', () => {
    if (!socket.readableEnded || !socket.writableFinished) reset(stream)
  })
  stream.pipe(socket, { end: false })
  // Node lets a stream that was reset end like any other.
  stream.once('end', () => (isReset(stream) ? socket.resetAndDestroy() : socket.end()))
  stream.once('aborted', () => socket.resetAndDestroy())
  stream.once('close', () => {
    if (!stream.readableEnded || isReset(stream)) socket.resetAndDestroy()
  })
  if (stream.closed) socket.resetAndDestroy()
  if (socket.destroyed) reset(stream)
}

/** Not by `close(code)`: that one of Node sends the end of what was written first, and a part would look like all. */
export function reset(stream: Http2Stream): void {
  stream.destroy(new Error('the connection was reset'))
}

function isReset({ rstCode }: Http2Stream): boolean {
  return rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR
}
