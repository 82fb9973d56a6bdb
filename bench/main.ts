import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Figures that anyone can run: `npm run bench`. Every end runs in a process of its own; the rows of a table are
 * measured in turn, round after round, so that a noisy machine disturbs them alike. Medians; the first row is ours.
 */
const rounds = Number(process.env['ROUNDS'] ?? 5)
const worker = fileURLToPath(new URL('./worker.js', import.meta.url))

await table('throughput, MB/s', 'send', 200, ['net~shs', 'net~shs 3.8.2'])
await table('goodput over WebRTC, MB/s', 'send', 100, ['rtc~shs', 'data channel'])
await table('dial to first byte, ms', 'dial', 10, ['rtc~shs', 'net~shs', 'net~shs 3.8.2'])

async function table(
  title: string,
  role: 'send' | 'dial',
  amount: number,
  names: readonly string[],
): Promise<void> {
  const results = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const result = await measure(name, role, amount)
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

async function measure(name: string, role: string, amount: number): Promise<number> {
  const server = fork(worker, [name, 'serve'])
  try {
    const { address } = await message<{ address: string }>(server, 'address')
    const client = fork(worker, [name, role, address, String(amount)])
    connect(server, client)
    connect(client, server)
    const { result } = await message<{ result: number }>(client, 'result')
    return result
  } finally {
    server.kill()
  }
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
