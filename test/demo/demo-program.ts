import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** `npm start`, or one of its peers, in a process of its own. */
export interface Demo {
  readonly child: ChildProcess
  readonly pid: number
  readonly ended: Promise<number | null>
  readonly url: Promise<string>
  output(): string
  /** Resolves once it is in the terminal. */
  says(words: string | RegExp): Promise<void>
}

export function startDemo(args: readonly string[], program: 'demo' | 'demo-desktop' = 'demo'): Demo {
  const launcher = fileURLToPath(new URL(`../../dist/cli/${program}.js`, import.meta.url))
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let isOver = false
  let wake: (() => void)[] = []
  const heard = () => {
    for (const each of wake.splice(0)) each()
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      heard()
    })
  }
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    isOver = true
    heard()
    return code ?? null
  })
  const match = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(output)
      if (found !== null) return found[1] ?? ''
      if (isOver) throw new Error(`the demo never said ${pattern}:\n${output}`)
      await new Promise<void>((resolve) => wake.push(resolve))
    }
  }
  const url = match(/Open (http:\S+)/)
  url.catch(() => undefined)
  return {
    child,
    pid: child.pid ?? 0,
    ended,
    url,
    output: () => output,
    async says(words) {
      await match(
        typeof words === 'string' ? new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : words,
      )
    },
  }
}
