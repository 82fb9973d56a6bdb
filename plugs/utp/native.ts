import { createRequire } from 'node:module'
import type { EventEmitter } from 'node:events'
import { MultiserverError } from '../../core/errors.ts'

/** The part of utp-native that is used here: a UDP socket with uTP (BEP 29) on it. It speaks IPv4 only. */
export interface UtpSocket extends EventEmitter {
  /** Those that are not closed yet, the ones that only wait for a last acknowledgement included. */
  readonly connections: readonly unknown[]
  /** Emits 'listening' or 'error'. */
  bind(port: number, ip: string): void
  connect(port: number, ip: string): UtpConnection
  /** true: nobody is let in. It lets everybody in by itself whenever a connection closes. */
  firewall(closed: boolean): void
  address(): { readonly port: number }
  /** Throws where the system does not let it have so much. */
  setRecvBufferSize(bytes: number): void
  ref(): void
  unref(): void
  /** Emits 'close'; to be called only when no connection is left. */
  close(): void
}

/** A Duplex of Node that knows no backpressure when it receives. Emits 'connect' when it may be written to. */
export interface UtpConnection extends EventEmitter {
  readonly remoteAddress: string
  readonly remotePort: number
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean
  end(): void
  /** Sends the end at once; 'close' follows when the far side has acknowledged it, or after half a minute. */
  destroy(): void
}

type MakeUtpSocket = () => UtpSocket

const require = createRequire(import.meta.url)

/** utp-native, which is optional. UTP_UNAVAILABLE where it is not installed or has no build for this machine. */
export function loadUtp(load: (name: string) => unknown = require): MakeUtpSocket {
  try {
    return load('utp-native') as MakeUtpSocket
  } catch (cause) {
    throw new MultiserverError('UTP_UNAVAILABLE', undefined, { cause })
  }
}
