import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP proxy that lets the middle of a transfer be a place: past so many bytes it holds back what clients send. */
export interface HeldProxy {
  readonly port: number
  /** Where it connects to; may change. */
  target: number
  /** Bytes that clients sent and that were passed on. */
  readonly passed: number
  /** Resolves once there was something to hold back. */
  readonly held: Promise<void>
  /** Breaks what is connected, and holds nothing back from then on. */
  cut(): void
  /** Lets go of what is held back, and of all that comes. */
  release(): void
}

export async function startHeldProxy(target: number, holdAfterBytes: number): Promise<HeldProxy> {
  const sockets = new Set<Socket>()
  let isHolding = true
  let passed = 0
  let sayHeld: () => void = () => undefined
  const held = new Promise<void>((resolve) => (sayHeld = resolve))
  const proxy = {
    port: 0,
    target,
    held,
    get passed() {
      return passed
    },
    cut() {
      isHolding = false
      for (const socket of sockets) {
        socket.resetAndDestroy()
        socket.emit('released')
      }
    },
    release() {
      isHolding = false
      for (const socket of sockets) socket.emit('released')
    },
  }
  const server = createServer((near) => {
    const far = connect(proxy.target, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.resetAndDestroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    far.pipe(near)
    void forward(near, far)
  })
  const forward = async (near: Socket, far: Socket) => {
    try {
      for await (const chunk of near as AsyncIterable<Buffer>) {
        if (isHolding && passed >= holdAfterBytes) {
          sayHeld()
          await once(near, 'released')
        }
        passed += chunk.length
        if (!far.write(chunk)) await once(far, 'drain')
      }
      far.end()
    } catch {
      far.destroy()
    }
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as AddressInfo).port
  onTestFinished(async () => {
    proxy.cut()
    server.close()
    await once(server, 'close')
  })
  return proxy
}
