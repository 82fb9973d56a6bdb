import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createLab, type HostName, type Lab } from './lab.ts'
import { watchTransfer, type TransferProcess } from './transfer-process.ts'
import { inTime, pause } from './waiting.ts'

export interface TransferOptions {
  readonly gib: number
  readonly seed: number
  /** How long the line of the receiver is down, once for each, at even distances. */
  readonly cutSeconds: readonly number[]
  readonly relay: 'never' | 'fallback' | 'first'
}

const GiB = 1024 ** 3
/** As long as a transfer may stand still beyond a cut: what is noticed, dialed again and hashed takes its time. */
const standstillMs = 300_000
const sampleMs = 500

/**
 * Sends a file of so many GiB from behind one NAT to behind another, and cuts the line in the middle. A short cut is
 * mended by the session, after a long one the sender dials again.
 *
 * @returns whether it arrived as it was, with little sent twice
 */
export async function runTransfer(options: TransferOptions): Promise<boolean> {
  const lab = await createLab({ nats: ['portres', 'portres'], seed: options.seed })
  try {
    return await transferIn(lab, options)
  } finally {
    await lab.close()
  }
}

async function transferIn(lab: Lab, { gib, cutSeconds, relay }: TransferOptions): Promise<boolean> {
  const folder = join(tmpdir(), lab.prefix)
  const [source, inbox] = [join(folder, 'source.bin'), join(folder, 'inbox')]
  const bytes = gib * GiB
  await promisify(execFile)('sh', ['-c', `head -c ${bytes} /dev/urandom >'${source}'`])
  const run = (host: 'peer0' | 'peer1', ...args: readonly string[]) => {
    const own = ['--json', '--key', join(folder, `${host}.json`), '--relay', relay]
    const [command, rest] = lab.command(host, '../../dist/cli/main.js', ...args, ...own)
    return watchTransfer(spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] }))
  }
  const receiver = run('peer1', 'receive', inbox, '--yes', '--hub', lab.hub.url)
  const { address } = await receiver.first('listening')
  const startedAt = performance.now()
  const sender = run('peer0', 'send', source, address)
  const peaks = await Promise.all([
    peakBytes(sender),
    peakBytes(receiver),
    makeCuts(lab, receiver, bytes, cutSeconds),
  ])
  const [sent, received] = await Promise.all([sender.ended, receiver.ended])
  const seconds = (performance.now() - startedAt) / 1000
  const areEqual =
    sent.code === 0 &&
    received.code === 0 &&
    (await sha256(source)) === (await sha256(join(inbox, 'source.bin')))
  const { moved } = await sender.first('finished')
  console.table({
    GiB: gib,
    'seconds, cuts included': seconds.toFixed(0),
    'cuts, seconds each': cutSeconds.join(', '),
    'dialed again': sender.events.filter(({ event }) => event === 'lost').length,
    'sent twice, MiB': mib(moved - bytes),
    'most memory of the sender, MiB': mib(peaks[0]),
    'most memory of the receiver, MiB': mib(peaks[1]),
    'equal checksum': areEqual,
  })
  if (!areEqual) console.log(sent, received)
  return areEqual && moved - bytes < mostTwiceBytes
}

/** What session, transforms and system hold at most, for each cut. */
const mostTwiceBytes = 64 * 1024 * 1024
const receiverLink: HostName = 'nat1'

/** Each at its part of the way, as the receiver tells it. */
async function makeCuts(
  lab: Lab,
  receiver: TransferProcess,
  bytes: number,
  cutSeconds: readonly number[],
): Promise<void> {
  for (const [index, seconds] of cutSeconds.entries()) {
    const place = (bytes * (index + 1)) / (cutSeconds.length + 1)
    const { at } = await receiver.first('progress', (progress) => progress.at >= place)
    console.log(`at ${mib(at)} MiB the line is cut for ${seconds} s`)
    await lab.down(receiverLink)
    await pause(seconds * 1000)
    await lab.up(receiverLink)
    const upAt = performance.now()
    const goneOn = receiver.first('progress', (progress) => progress.at > at + bytes / 100)
    await inTime(goneOn, standstillMs, 'the transfer, after the line is back')
    console.log(`it has gone on ${((performance.now() - upAt) / 1000).toFixed(1)} s after the line was back`)
  }
}

/** The most memory that a process has had, looked at until it ends. */
async function peakBytes({ pid, ended }: TransferProcess): Promise<number> {
  let peak = 0
  const look = async (): Promise<boolean> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024)
    return Promise.race([ended.then(() => false), pause(sampleMs).then(() => true)])
  }
  while (await look());
  return peak
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function mib(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0)
}
