import { setTimeout } from 'node:timers/promises'
import { startHub, type RunningHub } from '../../signal-server/index.ts'

export interface DemoHubOptions {
  readonly port: number
  /** The directory of the built page. */
  readonly page: string
  /** What the page is told; undefined for what is still starting. */
  readonly tell: () => DemoAnswer
  readonly onRestart: () => void
}

/** `GET /demo.json`: where the lobby is. */
export interface DemoAnswer {
  readonly lobby: string | undefined
}

/**
 * The hub of the demo: for this machine only, with the page. It can be restarted by a button, so that one can watch
 * what its peers make of that.
 */
export class DemoHub {
  readonly #options: DemoHubOptions
  #hub: RunningHub | undefined
  #restarting: Promise<void> | undefined

  constructor(options: DemoHubOptions) {
    this.#options = options
  }

  /** @returns its url @throws LISTEN_FAILED */
  async start(port = this.#options.port): Promise<string> {
    const { page, tell } = this.#options
    this.#hub = await startHub({
      port,
      page,
      // All peers of the demo come from one address, with as many tabs as somebody likes to open.
      exemptLoopback: true,
      // Nobody pays for bytes here, and a file that moves to the relay should not look as if it stood still.
      limits: { relayBytesPerSecond: relayBytes, relayBytesPerSecondPerPeer: relayBytes },
      // Behind the gate of a hub on loopback: pages of other origins are turned away.
      extend: (app) => {
        app.get('/demo.json', (_request, reply) => reply.header('cache-control', 'no-store').send(tell()))
        app.post('/demo/restart-hub', (_request, reply) => {
          this.#restarting ??= this.#restart().finally(() => (this.#restarting = undefined))
          return reply.code(202).send({ awayMs })
        })
      },
    })
    return this.#hub.url
  }

  async close(): Promise<void> {
    await this.#restarting
    await this.#hub?.close()
  }

  async #restart(): Promise<void> {
    const hub = this.#hub
    if (hub === undefined) return
    this.#options.onRestart()
    // The answer goes out first.
    await setTimeout(answerMs)
    await hub.close()
    await setTimeout(awayMs)
    await this.start(Number(new URL(hub.url).port))
  }
}

const answerMs = 50

/** A second: more than WebRTC moves here. */
const relayBytes = 128 * 1024 * 1024

/** Long enough to be seen. */
const awayMs = 1_500
