import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { canRun, titleOf } from './can-run.ts'
import { fixedPort } from './fixed-port.ts'

export const hasRedis = canRun('redis-server')
export const redisName = titleOf('redis-server')

/** A Redis of the test's own, on loopback, which keeps nothing. */
export class RedisServer {
  readonly port: number
  readonly #directory: string
  readonly #options: readonly string[]
  #process: ChildProcess | undefined

  private constructor(port: number, directory: string, options: readonly string[]) {
    this.port = port
    this.#directory = directory
    this.#options = options
  }

  static async start(...options: string[]): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'redis-'))
    const server = new RedisServer(fixedPort(), directory, options)
    await server.start()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory, '--save', '']
    const options = [...fixed, '--appendonly', 'no', ...this.#options]
    const started = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = started
    const said: string[] = []
    for await (const line of createInterface({ input: started.stdout })) {
      said.push(line)
      if (!line.includes('Ready to accept connections')) continue
      started.stdout.resume()
      return
    }
    throw new Error(`redis-server does not start: ${said.join('\n')}`)
  }

  /** As a crash would. */
  async stop(): Promise<void> {
    const stopped = this.#process
    if (stopped === undefined) return
    this.#process = undefined
    const gone = once(stopped, 'exit')
    stopped.kill('SIGKILL')
    await gone
  }

  /** It hangs: takes everything and answers nothing. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  wake(): void {
    this.#process?.kill('SIGCONT')
  }

  async close(): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** The answer to an inline command, as Redis writes it. */
  async ask(command: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1')
    socket.setEncoding('utf8')
    let answer = ''
    socket.on('data', (text: string) => (answer += text))
    socket.end(`${command}\r\nQUIT\r\n`)
    await once(socket, 'close')
    return answer.replace(/\+OK\r\n$/, '').trim()
  }

  /** How many commands of these names it has run. */
  async calls(...names: string[]): Promise<number> {
    const stats = await this.ask('INFO commandstats')
    let all = 0
    for (const [, name = '', calls] of stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)) {
      if (names.includes(name)) all += Number(calls)
    }
    return all
  }
}
