import { toBase64 } from '../../../core/bytes.ts'
import { createPair } from '../../../core/pair.ts'
import memory from '../../../plugs/memory.ts'
import { createTunnel, type TunnelOptions } from '../../../plugs/tunnel/tunnel.ts'
import type { BridgeOptions, Tunnel } from '../../../plugs/tunnel/bridge.ts'
import type { ByteStream, Listener, Secured, SecureTarget, Transform } from '../../../core/types.ts'

export const serverKey = new Uint8Array(32).fill(7)
export const clientKey = new Uint8Array(32).fill(9)

const { signal } = new AbortController()
let names = 0

/** A listener without a stack, at a place of its own in this process. */
export interface Place {
  readonly address: string
  /** The next stream that arrives. */
  arrived(): Promise<ByteStream>
  close(): Promise<void>
}

export async function openPlace(): Promise<Place> {
  const name = `behind a bridge ${names++}`
  const streams: ByteStream[] = []
  const waiting: ((stream: ByteStream) => void)[] = []
  const accept = (stream: ByteStream) => {
    const next = waiting.shift()
    if (next === undefined) streams.push(stream)
    else next(stream)
  }
  const ignore = () => undefined
  const context = { signal, transforms: [], onError: ignore, onConnectionError: ignore }
  const listener: Listener | undefined = await memory({ name }).listen?.(accept, context)
  return {
    address: `memory:${name}`,
    arrived() {
      const stream = streams.shift()
      return stream === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(stream)
    },
    close: async () => listener?.close(),
  }
}

/** A tunnel that dials within this process. */
export function tunnelOf(options: TunnelOptions = {}): Transform {
  return createTunnel(options, [memory()])
}

/** The client's side of a tunnel to {@link serverKey}. */
export function tunnelTarget(): SecureTarget {
  const target = tunnelOf().parse(`tunnel:${toBase64(serverKey)}`)
  if (target === null) throw new Error('the tunnel does not understand its own section')
  return target
}

/** A client's request and a bridge's answer, as both sides have it. */
export interface Meeting {
  readonly connecting: Promise<Secured>
  readonly takingOver: Promise<Tunnel>
  /** The client's end below the tunnel, and the bridge's. */
  readonly near: ByteStream
  readonly far: ByteStream
}

/** Lets a client ask `bridge` for {@link serverKey}. */
export function meet(bridge: Transform, remote: Uint8Array = clientKey): Meeting {
  const [near, far] = createPair()
  const takingOver = takeOver(bridge, far, remote)
  const connecting = tunnelTarget().connect(near, { signal })
  takingOver.catch(() => undefined)
  connecting.catch(() => undefined)
  return { connecting, takingOver, near, far }
}

export function takeOver(
  bridge: Transform,
  inner: ByteStream,
  remote: Uint8Array = clientKey,
): Promise<Tunnel> {
  const taking = bridge.takeOver?.(inner, { signal, remote })
  if (taking === undefined) throw new Error('this is no bridge')
  return taking as Promise<Tunnel>
}

/** A client and a server that a bridge has joined. */
export interface Joined {
  readonly client: ByteStream
  readonly server: ByteStream
  readonly tunnel: Tunnel
}

export async function join(options: Omit<BridgeOptions, 'to'> = {}): Promise<Joined> {
  const place = await openPlace()
  const { connecting, takingOver } = meet(tunnelOf({ ...options, to: () => place.address }))
  const [{ stream }, tunnel, server] = await Promise.all([connecting, takingOver, place.arrived()])
  await place.close()
  return { client: stream, server, tunnel }
}
