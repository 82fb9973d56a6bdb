import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { StartHubOptions } from '../../signal-server/index.ts'
import type { HubAnswer, HubMemory, HubRequest } from './hub.ts'
import { cpuMsOf, residentOf } from './process-figures.ts'

export type HubChanges = NonNullable<StartHubOptions['limits']>

/** The hub of a run: a process of ours, which can be asked and killed, or somebody's, of which only the URL is known. */
export class HubProcess {
  readonly url: string
  readonly hubName: string
  readonly #child: ChildProcess | undefined

  private constructor(url: string, hubName: string, child?: ChildProcess) {
    this.url = url
    this.hubName = hubName
    this.#child = child
  }

  static elsewhere(url: string): HubProcess {
    return new HubProcess(url, url)
  }

  /** On loopback, which its limits per address are lifted for: all peers of a run come from there. With Redis it is a node. */
  static async start(limits: HubChanges = {}, port = 0, redisUrl?: string): Promise<HubProcess> {
    const program = fileURLToPath(new URL('./hub.js', import.meta.url))
    const profile = process.env['HUB_CPU_PROF'] === undefined ? [] : ['--cpu-prof']
    const child = fork(program, [], { execArgv: ['--expose-gc', ...profile] })
    const options: StartHubOptions = { port, limits, exemptLoopback: true }
    const request: HubRequest = { start: options, redisUrl }
    child.send(request)
    const { listening } = await answerOf(child, 'listening')
    return new HubProcess(listening.url, listening.hubName, child)
  }

  /** Whether it still runs; somebody else's is taken to. */
  get isUp(): boolean {
    return this.#child === undefined || (this.#child.exitCode === null && this.#child.signalCode === null)
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  async memory(): Promise<HubMemory> {
    if (this.#child === undefined) {
      return { rss: NaN, heap: NaN, external: NaN, prototypeKeys: [] }
    }
    const request: HubRequest = { memory: true }
    this.#child.send(request)
    return (await answerOf(this.#child, 'memory')).memory
  }

  /** What the process has worked so far, to the hundredth of a second; without a collection, which would be work. */
  cpuMs(): number {
    return cpuMsOf(this.#child?.pid)
  }

  /** Resident bytes as the system has them, without a collection, which the hub's peers would feel. */
  resident(): number {
    return residentOf(this.#child?.pid)
  }

  /** Resolves when the process is gone, with the milliseconds that it took and its exit code. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<{ tookMs: number; code: number | null }> {
    const child = this.#child
    if (child === undefined || !this.isUp) return { tookMs: 0, code: child?.exitCode ?? null }
    const startedAt = performance.now()
    const exited = once(child, 'exit')
    child.kill(signal)
    // Its own drain is bounded below this.
    const guard = setTimeout(() => child.kill('SIGKILL'), 40_000)
    await exited
    clearTimeout(guard)
    return { tookMs: performance.now() - startedAt, code: child.exitCode }
  }
}

function answerOf<N extends 'listening' | 'memory'>(
  child: ChildProcess,
  name: N,
): Promise<Extract<HubAnswer, Record<N, unknown>>> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      child.off('message', hear)
      child.off('exit', fail)
    }
    const hear = (answer: HubAnswer) => {
      if ('failed' in answer) return fail(answer.failed)
      if (!(name in answer)) return
      stop()
      resolve(answer as Extract<HubAnswer, Record<N, unknown>>)
    }
    const fail = (why: unknown) => {
      stop()
      reject(new Error(`the hub's process ended: ${String(why)}`))
    }
    child.on('message', hear)
    child.on('exit', fail)
  })
}
