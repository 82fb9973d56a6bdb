import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { loadNative } from '../../plugs/secret/native.ts'
import { Answers } from '../answers.ts'
import type { Contestant } from '../contestant.ts'
import { addressOf } from './raw-socket.ts'

const macBytes = 16
const headBytes = 18

/**
 * A TCP socket and the two boxes that shs has for a message, with nothing else around them: no round trip over shs can be
 * shorter. For one small message at a time, which TCP brings in one piece.
 */
export const tcpWithBoxes: Contestant = {
  async serve() {
    const { seal, open } = createBoxes()
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (frame) => void socket.write(seal(open(frame))))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return { address: addressOf(server), close: () => Promise.resolve() }
  },
  async dial(address) {
    const { seal, open } = createBoxes()
    const socket = connect({ port: Number(address), host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const answers = new Answers()
    socket.on('data', (frame) => {
      open(frame)
      answers.arrived()
    })
    return {
      write(chunk) {
        socket.write(seal(chunk))
        return Promise.resolve()
      },
      end: () => Promise.resolve(),
      answer: () => answers.next(),
      close() {
        socket.destroy()
        return Promise.resolve()
      },
    }
  },
}

interface Boxes {
  readonly seal: (plain: Uint8Array) => Uint8Array
  readonly open: (frame: Uint8Array) => Uint8Array
}

/** A boxed head and a boxed body. Keys don't matter for the time; both ends have the same. */
function createBoxes(): Boxes {
  const sodium = loadNative()
  if (sodium === undefined) throw new Error('sodium-native is not installed here')
  const key = Buffer.alloc(32, 7)
  const nonce = Buffer.alloc(24, 7)
  const head = randomBytes(headBytes)
  return {
    seal(plain) {
      const frame = Buffer.allocUnsafe(macBytes + headBytes + macBytes + plain.length)
      const [headMac, sealedHead, mac, body] = partsOf(frame)
      sodium.crypto_secretbox_detached(body, mac, plain, nonce, key)
      sodium.crypto_secretbox_detached(sealedHead, headMac, head, nonce, key)
      return frame
    },
    open(frame) {
      const [headMac, sealedHead, mac, body] = partsOf(frame)
      const plain = Buffer.allocUnsafe(body.length)
      const areSound =
        sodium.crypto_secretbox_open_detached(head, sealedHead, headMac, nonce, key) &&
        sodium.crypto_secretbox_open_detached(plain, body, mac, nonce, key)
      if (!areSound) throw new Error('a box does not open')
      return plain
    },
  }
}

function partsOf(frame: Uint8Array): [Uint8Array, Uint8Array, Uint8Array, Uint8Array] {
  const headEnd = macBytes + headBytes
  return [
    frame.subarray(0, macBytes),
    frame.subarray(macBytes, headEnd),
    frame.subarray(headEnd, headEnd + macBytes),
    frame.subarray(headEnd + macBytes),
  ]
}
