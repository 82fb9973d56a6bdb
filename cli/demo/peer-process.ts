import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { seedVariable } from './child.ts'

export type PeerName = 'server' | 'desktop' | 'veteran'

export interface PeerProcessOptions {
  readonly name: PeerName
  readonly args: () => readonly string[]
  /** It is there, with this address; again whenever it was started again. */
  readonly onReady: (address: string) => void
  /** It died and is started again. @param how in words */
  readonly onDied: (how: string) => void
  /** It dies too often, or before it was ready. */
  readonly onGivenUp: (how: string) => void
}

/** A peer in a process of its own that is started again when it dies, with the key that it had. */
export class PeerProcess {
  readonly #options: PeerProcessOptions
  readonly #seed = randomBytes(32).toString('hex')
  #child: ChildProcess | undefined
  #isStopping = false
  /** Of the starts that count, by `performance.now()`. */
  #startedAt: number[] = []

  constructor(options: PeerProcessOptions) {
    this.#options = options
  }

  start(): void {
    const { name, args, onReady, onDied, onGivenUp } = this.#options
    const now = performance.now()
    this.#startedAt = [...this.#startedAt.filter((at) => now - at < countedMs), now]
    const script = fileURLToPath(new URL(`../demo-${name}.js`, import.meta.url))
    const child = fork(script, args(), { env: { ...env, [seedVariable]: this.#seed } })
    this.#child = child
    let isReady = false
    child.on('message', (message) => {
      isReady = true
      onReady(addressIn(message))
    })
    // Then no 'exit' comes.
    child.once('error', (error) => onGivenUp(error.message))
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return
      const how = signal ?? `exit code ${code ?? '?'}`
      if (!isReady || this.#startedAt.length > mostStarts) return onGivenUp(how)
      onDied(how)
      this.start()
    })
  }

  /** Resolves when it is gone: it says goodbye, and is killed when it does not go in time. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    if (child.connected) child.send('stop', () => undefined)
    const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    await gone
    clearTimeout(late)
  }
}

function addressIn(message: unknown): string {
  if (typeof message === 'object' && message !== null && 'address' in message) return String(message.address)
  throw new Error('A peer said something that its parent does not understand.')
}

/** More than a child gives itself. */
const stopTimeoutMs = 6_000

/** What dies more often than this within a minute will not come to life. */
const mostStarts = 5
const countedMs = 60_000
