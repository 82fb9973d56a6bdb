import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cpuMsOf } from './hub/process-figures.ts'
import type { Table } from './tables.ts'

const worker = fileURLToPath(new URL('./worker.js', import.meta.url))
/** Connections before the memory is looked at: what a process takes once is no cost of a connection. */
const connectionsBefore = 1000
const GiB = 2 ** 30

/** One row of a table, once: the figures of its role in their order. Both ends are new processes. */
export async function measure(
  name: string,
  { role, amount, chunkBytes = 64 * 1024 }: Table,
): Promise<number[]> {
  const server = fork(worker, [name, 'serve'], { execArgv: ['--expose-gc'], env: environment(name) })
  const clients: ChildProcess[] = []
  const addressed = message<{ address: string }>(server, 'address')
  const run = async (times: number) => {
    const args = [name, role, (await addressed).address, String(times), String(chunkBytes)]
    const client = fork(worker, args, { env: environment(name) })
    clients.push(client)
    connect(server, client)
    connect(client, server)
    return await message<{ figures: number[]; cpuMs: number }>(client, 'figures')
  }
  try {
    if (role === 'hold' || role === 'hold busy') {
      if (role === 'hold') await run(connectionsBefore)
      else await run(Math.ceil(amount / 4))
      const before = await askMemory(server)
      await run(amount)
      return [((await askMemory(server)) - before) / amount / 1024]
    }
    await addressed
    const before = cpuMsOf(server.pid)
    const { figures, cpuMs } = await run(amount)
    const cpuSeconds = (cpuMsOf(server.pid) - before + cpuMs) / 1000
    if (role === 'send') return [...figures, cpuSeconds / ((amount * 1e6) / GiB)]
    if (role === 'handshakes') return [...figures, (cpuSeconds * 1000) / amount]
    return figures
  } finally {
    for (const each of [server, ...clients]) each.kill()
  }
}

/** Nothing of ours helps 3.8.2: it does not ask for bufferutil, which masks WebSocket frames for us. */
function environment(name: string): NodeJS.ProcessEnv {
  return name.includes('3.8.2') ? { ...process.env, WS_NO_BUFFER_UTIL: '1' } : process.env
}

async function askMemory(server: ChildProcess): Promise<number> {
  server.send({ measure: true })
  return (await message<{ rss: number }>(server, 'rss')).rss
}

function connect(from: ChildProcess, to: ChildProcess): void {
  from.on('message', (sent: object) => {
    if ('link' in sent && to.connected) to.send(sent)
  })
}

function message<T>(child: ChildProcess, field: string): Promise<T> {
  return new Promise((resolve, reject) => {
    child.on('message', (sent: object) => {
      if (field in sent) resolve(sent as T)
    })
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)))
  })
}
