import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Figures that anyone can run: `npm run bench`, or `npm run bench -- net~shs2` for the tables that begin with it. Every end runs in a process of its own; the rows of a table are
 * measured in turn, round after round, so that a noisy machine disturbs them alike. Medians; the first row is ours.
 */
const rounds = Number(process.env['ROUNDS'] ?? 5)
/** What to measure, by the first row; all of it when nothing is named. */
const wanted = process.argv.slice(2)
/** These come before the memory is looked at: what a process takes once is no cost of a connection. */
const connectionsBefore = 1000
const worker = fileURLToPath(new URL('./worker.js', import.meta.url))

await table('throughput, MB/s', 'send', 300, ['net~shs', 'net~shs 3.8.2'])
await table('throughput, MB/s', 'send', 200, ['ws~shs', 'ws~shs 3.8.2'])
await table('throughput, MB/s', 'send', 200, [
  'net~shs2',
  'TLS 1.3',
  'TLS 1.3 ChaCha20',
  'secret-stream',
  'libp2p tcp+noise',
])
await table('throughput, MB/s', 'send', 200, ['ws~shs2', 'ws~shs'])
await table('throughput without transforms, 64 KiB chunks, MB/s', 'send', 1000, ['net', 'net 3.8.2'])
await table('throughput without transforms, 1 KiB chunks, MB/s', 'send', 100, ['net', 'net 3.8.2'], 1024)
await table('goodput over WebRTC, MB/s', 'send', 100, ['rtc~shs', 'data channel', 'simple-peer'])
await table('handshakes a second', 'handshakes', 1000, ['net~shs', 'net~shs 3.8.2'])
await table('handshakes a second', 'handshakes', 1000, ['net~shs2', 'net~shs'])
await table('dial to first byte, ms', 'dial', 10, ['rtc~shs', 'net~shs', 'net~shs 3.8.2'])
await table('idle connection at the server, KiB resident', 'hold', 3000, ['net~shs', 'net~shs 3.8.2'])

type Role = 'send' | 'dial' | 'handshakes' | 'hold'

async function table(
  title: string,
  role: Role,
  amount: number,
  names: readonly string[],
  chunkBytes = 64 * 1024,
): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(names[0] ?? '')) return
  const results = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const result = await measure(name, role, amount, chunkBytes)
      // The first round is for warming up.
      if (round > 0) results.get(name)?.push(result)
    }
  }
  console.log(`\n${title} (${rounds} rounds: median, lowest, highest; ours over it, pair by pair)`)
  const ours = results.get(names[0] ?? '') ?? []
  for (const [name, figures] of results) {
    const ratio = median(ours.map((figure, round) => figure / (figures[round] ?? figure)))
    const cells = [median(figures), Math.min(...figures), Math.max(...figures)].map((x) =>
      x.toFixed(1).padStart(8),
    )
    console.log(`  ${name.padEnd(16)}${cells.join('')}   ${ratio.toFixed(2)}`)
  }
}

async function measure(name: string, role: Role, amount: number, chunkBytes: number): Promise<number> {
  const server = fork(worker, [name, 'serve'], { execArgv: ['--expose-gc'], env: environment(name) })
  const clients: ChildProcess[] = []
  const addressed = message<{ address: string }>(server, 'address')
  const run = async (times: number): Promise<number> => {
    const args = [name, role, (await addressed).address, String(times), String(chunkBytes)]
    const client = fork(worker, args, { env: environment(name) })
    clients.push(client)
    connect(server, client)
    connect(client, server)
    return (await message<{ result: number }>(client, 'result')).result
  }
  try {
    if (role !== 'hold') return await run(amount)
    await run(connectionsBefore)
    const before = await askMemory(server)
    const held = await run(amount)
    return ((await askMemory(server)) - before) / held / 1024
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

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0
}
