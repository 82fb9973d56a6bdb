import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { TransferEvent } from '../../cli/transfer/events.ts'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export type EventOf<Name> = Extract<TransferEvent, { event: Name }>

/** `multiserver send` or `receive`, as built, in a process of its own. Killed at the end of the test. */
export interface TransferProcess {
  /** What it has told so far. */
  readonly events: readonly TransferEvent[]
  /** The first event of this name, of all that it tells; rejects with its stderr when it ends without one. */
  first<Name extends TransferEvent['event']>(name: Name): Promise<EventOf<Name>>
  /** How it ended: its exit code, null when it was killed, and stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
  kill(): Promise<void>
}

export function startReceive(folder: string, ...args: readonly string[]): TransferProcess {
  return start(['receive', folder, '--json', '--app-key', appKey, ...args])
}

export function startSend(...args: readonly string[]): TransferProcess {
  return start(['send', '--json', '--app-key', appKey, ...args])
}

/** Whoever runs the tests may have a key and peers of their own. */
const appKey = Buffer.alloc(32, 'transfer tests').toString('base64')

function start(args: readonly string[]): TransferProcess {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const events: TransferEvent[] = []
  const listeners = new Set<() => void>()
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    events.push(JSON.parse(line) as TransferEvent)
    for (const listener of listeners) listener()
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }))
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  return {
    events,
    ended,
    kill,
    first: (name) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = events.find((event) => event.event === name)
          if (found === undefined) return
          listeners.delete(look)
          resolve(found as EventOf<typeof name>)
        }
        listeners.add(look)
        look()
        void ended.then(({ code }) =>
          reject(new Error(`it ended with ${code} before it was ${name}: ${stderr}`)),
        )
      }),
  }
}

/** A folder of this test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'multiserver-transfer-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A file of so many random bytes; its SHA-256 in hex. */
export async function makeFile(path: string, bytes: number): Promise<string> {
  await writeFile(path, randomBytes(bytes))
  return sha256Of(path)
}

export async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
