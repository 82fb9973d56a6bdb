import { connect } from 'node:net'

/** Connects to a port of this machine and leaves again; rejects when nobody listens there. */
export function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => socket.end(resolve))
  })
}
