import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { IsolatedConnection, type ConnectionLine } from './connection.ts'
import { Framing } from './framing.ts'
import type { Duplex } from 'node:stream'
import type { WebRtc } from '../wrtc.ts'
import type { News, Order } from './messages.ts'

export interface IsolateOptions {
  /** What the process runs, for who bundles this package. @default dist/plugs/rtc/isolated/child.js of it */
  readonly program?: URL | undefined
}

export interface IsolatedWebRtc extends WebRtc {
  /** Of the process that has WebRTC, while there is one. */
  readonly pid: number | undefined
  /** Ends the process and with it every connection; resolves when it is gone. */
  readonly close: () => Promise<void>
}

/**
 * Node's WebRTC in a process of its own, for the `wrtc` option of `rtc`. wrtc is a large body of C++ that speaks with strangers,
 * and it may crash when a peer tears a connection down that is being sent into: here that costs the connections their paths,
 * which they look for again through the hub, and not the program its life. Neither keys nor plaintext are ever there.
 * It is no sandbox: that process may do what this one may.
 * The process begins at once, and again for the first connection after it has ended; it ends with this one. It costs some 50 MiB
 * and a part of the speed.
 */
export function isolateWebRtc(options: IsolateOptions = {}): IsolatedWebRtc {
  const program = options.program === undefined ? ownProgram() : fileURLToPath(options.program)
  let current = new WebRtcProcess(program)
  function makeConnection(configuration?: RTCConfiguration): IsolatedConnection {
    if (current.isOver) current = new WebRtcProcess(program)
    const own = current
    return new IsolatedConnection(configuration, (connection) => own.add(connection))
  }
  return {
    // As much of each as simple-peer and this plug use.
    RTCPeerConnection: makeConnection as unknown as typeof RTCPeerConnection,
    RTCSessionDescription: plain as unknown as typeof RTCSessionDescription,
    RTCIceCandidate: plain as unknown as typeof RTCIceCandidate,
    get pid() {
      return current.pid
    },
    close: () => current.close(),
  }
}

function ownProgram(): string {
  return createRequire(import.meta.url).resolve('#webrtc-program')
}

/** A constructor of what goes to the other process, written out there. */
function plain(init: object): object {
  return { ...init }
}

/** A process and the connections that it has. It keeps this one alive only while there are some. */
class WebRtcProcess {
  readonly #child: ChildProcess
  readonly #socket: Duplex & { ref(): void; unref(): void }
  readonly #framing: Framing<Order, News>
  readonly #connections = new Map<number, IsolatedConnection>()
  readonly #gone: Promise<unknown>
  #ids = 0
  #isOver = false

  constructor(program: string) {
    this.#child = spawn(process.execPath, [program], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      // In an Electron application the executable is no Node otherwise.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    })
    this.#gone = once(this.#child, 'close').catch(() => undefined)
    this.#socket = this.#child.stdio[3] as Duplex & { ref(): void; unref(): void }
    this.#framing = new Framing(this.#socket, {
      onWords: (id, news) => this.#connections.get(id)?.onNews(news),
      onMessage: (id, message) => this.#connections.get(id)?.onMessage(message),
      onInvalid: () => this.#child.kill('SIGKILL'),
    })
    this.#child.on('error', () => this.#lose())
    this.#socket.on('error', () => this.#lose())
    this.#socket.on('close', () => this.#lose())
    this.#rest()
  }

  get pid(): number | undefined {
    return this.#isOver ? undefined : this.#child.pid
  }

  get isOver(): boolean {
    return this.#isOver
  }

  add(connection: IsolatedConnection): ConnectionLine {
    const id = this.#ids++
    this.#connections.set(id, connection)
    this.#child.ref()
    this.#socket.ref()
    return {
      tell: (order) => this.#framing.tell(id, order),
      send: (message) => this.#framing.send(id, message),
      over: () => {
        this.#connections.delete(id)
        if (this.#connections.size === 0) this.#rest()
      },
    }
  }

  async close(): Promise<void> {
    this.#socket.destroy()
    this.#lose()
    await this.#gone
  }

  #rest(): void {
    this.#child.unref()
    this.#socket.unref()
  }

  #lose(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.destroy()
    for (const connection of this.#connections.values()) connection.onLost()
    this.#connections.clear()
  }
}
