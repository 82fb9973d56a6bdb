import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuMsOf } from './hub/process-figures.ts'
import type { Table } from './table.ts'

const worker = fileURLToPath(new URL('./worker.js', import.meta.url))
/** Connections before the memory is looked at: what is compiled and loaded with the first is no cost of a connection. */
const warmUpConnections = 50
/** Those that the heap grows to its working size with. */
const firstConnections = 1000
/** More than the slowest takes; one that takes longer hangs. */
const mostMs = 120_000
/** What a worker has for ending by itself. */
const endingMs = 3_000
const GiB = 2 ** 30
/** The name of a field that no worker sends. */
const neverSent = 'never'

/** Where both ends of a row run. */
export interface Ground {
  /** Starts `worker`, with a channel for messages. */
  start(end: 'server' | 'client', args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess
  /** What introduces them, where they don't start it: the URL of a hub. */
  readonly introducer?: string
}

export const thisMachine: Ground = {
  start: (_end, args, env) => fork(worker, args, { execArgv: ['--expose-gc'], env }),
}

/** One row of a table, once: the figures of its role in their order. All processes are new, and gone afterwards. */
export async function measure(name: string, table: Table, ground = thisMachine): Promise<number[]> {
  const pair = new Pair(name, table, ground)
  let guard: NodeJS.Timeout | undefined
  const hanging = new Promise<never>((_, reject) => {
    guard = setTimeout(() => reject(new Error(`took longer than ${mostMs / 1000} s`)), mostMs)
  })
  try {
    return await Promise.race([figuresOf(pair, table), pair.broken, hanging])
  } finally {
    clearTimeout(guard)
    await pair.end()
  }
}

async function figuresOf(pair: Pair, { role, amount }: Table): Promise<number[]> {
  if (role === 'hold' || role === 'hold busy') {
    // What busy connections have carried is more than enough to grow the heap.
    const first = role === 'hold' ? firstConnections : Math.ceil(amount / 4)
    await pair.run(warmUpConnections)
    const memory = [await pair.memory()]
    for (const connections of [first, amount]) {
      await pair.run(connections)
      memory.push(await pair.memory())
    }
    const [empty = NaN, some = NaN, all = NaN] = memory
    return [(all - some) / amount / 1024, (some - empty) / first / 1024]
  }
  await pair.addressed
  const before = pair.serverCpuMs
  const { figures, cpuMs } = await pair.run(amount)
  const cpuSeconds = (pair.serverCpuMs - before + cpuMs) / 1000
  if (role === 'send') return [...figures, cpuSeconds / ((amount * 1e6) / GiB)]
  if (role === 'handshakes') return [...figures, (cpuSeconds * 1000) / amount]
  return figures
}

/** A server and its clients, each a process. */
class Pair {
  readonly addressed: Promise<{ address: string }>
  /** Rejects when the server is gone: its client could wait for long. */
  readonly broken: Promise<never>
  readonly #name: string
  readonly #table: Table
  readonly #ground: Ground
  readonly #server: ChildProcess
  readonly #clients: ChildProcess[] = []

  constructor(name: string, table: Table, ground: Ground) {
    this.#name = name
    this.#table = table
    this.#ground = ground
    this.#server = ground.start('server', [name, 'serve', ground.introducer ?? ''], environment(name))
    this.addressed = message(this.#server, 'address')
    this.broken = message(this.#server, neverSent)
    this.broken.catch(() => undefined)
  }

  get serverCpuMs(): number {
    return cpuMsOf(this.#server.pid)
  }

  /** One more client. */
  async run(amount: number): Promise<{ figures: number[]; cpuMs: number }> {
    const { role, chunkBytes } = this.#table
    const { address } = await this.addressed
    const args = [this.#name, role, address, String(amount), String(chunkBytes ?? 64 * 1024)]
    const client = this.#ground.start('client', args, environment(this.#name))
    this.#clients.push(client)
    connect(this.#server, client)
    connect(client, this.#server)
    return await message(client, 'figures')
  }

  /** Of the server, bytes. */
  async memory(): Promise<number> {
    this.#server.send({ measure: true })
    return (await message<{ rss: number }>(this.#server, 'rss')).rss
  }

  async end(): Promise<void> {
    await Promise.all([this.#server, ...this.#clients].map(endProcess))
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill()
  const guard = setTimeout(() => child.kill('SIGKILL'), endingMs)
  await exited
  clearTimeout(guard)
}

/** Nothing of ours helps 3.8.2: it does not ask for bufferutil, which masks WebSocket frames for us. */
function environment(name: string): NodeJS.ProcessEnv {
  return name.includes('3.8.2') ? { ...process.env, WS_NO_BUFFER_UTIL: '1' } : process.env
}

function connect(from: ChildProcess, to: ChildProcess): void {
  from.on('message', (sent: object) => {
    if ('link' in sent && to.connected) to.send(sent, () => undefined)
  })
}

/** The next message that has the field; rejects when it can't come any more. */
function message<T>(child: ChildProcess, field: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      child.off('message', hear)
      child.off('exit', fail)
    }
    const hear = (sent: { failed?: string }) => {
      if (sent.failed !== undefined) fail(sent.failed)
      if (!(field in sent)) return
      stop()
      resolve(sent as T)
    }
    const fail = (why: unknown) => {
      stop()
      reject(new Error(typeof why === 'string' ? why : `the process ended with ${String(why)}`))
    }
    child.on('message', hear)
    child.on('exit', fail)
  })
}
