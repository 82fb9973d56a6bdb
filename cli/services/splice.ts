import { constants, type Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'

/**
 * Joins a TCP connection with a stream: bytes both ways at the pace of who reads them, the end of each direction alone,
 * and a reset of one is a reset of the other. `socket` must be made with `allowHalfOpen`.
 */
export function splice(socket: Socket, stream: Http2Stream): void {
  socket.pipe(stream)
  stream.pipe(socket)
  // They follow from 'close'.
  socket.on('error', () => undefined)
  stream.on('error', () => undefined)
  socket.once('close', () => {
    if (!socket.readableEnded || !socket.writableFinished) reset(stream)
  })
  stream.once('close', () => {
    if (!stream.readableEnded || stream.rstCode !== constants.NGHTTP2_NO_ERROR) socket.resetAndDestroy()
  })
  if (stream.closed) socket.resetAndDestroy()
  if (socket.destroyed) reset(stream)
}

/** RFC 9113, section 8.5: what a TCP error of a tunnel is to be told as. */
export function reset(stream: Http2Stream): void {
  if (!stream.destroyed) stream.close(constants.NGHTTP2_CONNECT_ERROR)
}
