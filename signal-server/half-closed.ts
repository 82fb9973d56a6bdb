import type { Socket } from 'node:net'

/**
 * Gives each socket `closeMs` from the end of what its peer sends. ws closes such a socket too, but sets no timer for it:
 * behind what the peer does not read, its own end would never leave.
 */
export function halfClosedFor(closeMs: number): (socket: Socket) => void {
  // One for all sockets: most never come to it.
  function endInTime(this: Socket): void {
    const timer = setTimeout(() => this.destroy(), closeMs)
    this.once('close', () => clearTimeout(timer))
  }
  return (socket) => void socket.on('end', endInTime)
}
