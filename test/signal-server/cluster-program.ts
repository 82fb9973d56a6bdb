import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { programFile } from './hub-program.ts'

/** The hub as a program of its own, listening. */
export interface ClusterProgram {
  readonly url: string
  readonly process: ChildProcess
  /** Its exit code, null when a signal ended it. */
  readonly ended: Promise<number | null>
  /** Resolves when it has logged something with `text` in it. */
  logged(text: string): Promise<void>
}

/** Starts it with `environment`, PORT 0 unless that says something else. */
export async function runHub(environment: Record<string, string>): Promise<ClusterProgram> {
  const started = spawn(process.execPath, [programFile], {
    env: { PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(started, 'close').then(([code]) => code as number | null)
  const lines: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: started.stdout }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  const lineWith = async (pattern: RegExp) => {
    for (;;) {
      const found = lines.map((line) => pattern.exec(line)).find((match) => match !== null)
      if (found !== undefined) return found
      const next = new Promise<'line'>((resolve) => waiting.add(() => resolve('line')))
      if ((await Promise.race([next, ended])) !== 'line') throw new Error(`it has ended: ${lines.join('\n')}`)
      waiting.clear()
    }
  }
  const [, address = ''] = await lineWith(/http:\/\/([^"\s]+)/)
  return {
    url: `ws://${address}`,
    process: started,
    ended,
    logged: async (text) => void (await lineWith(new RegExp(text))),
  }
}
