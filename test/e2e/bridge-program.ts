import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** As built. */
const programFile = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface BridgeProgram {
  /** The addresses that it has printed: others come through it by them. */
  readonly addresses: readonly string[]
  /** What it has said on stderr. */
  log(): string
  /** Resolves once it has printed an address that fits. */
  address(pattern: RegExp): Promise<string>
  /** Resolves once it has said so. */
  says(pattern: RegExp): Promise<void>
  /** Resolves to its exit code, null when the signal itself ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>
  signal(signal: NodeJS.Signals): void
}

/** `multiserver bridge --config FILE` in a process of its own. */
export function startBridgeProgram(configFile: string): BridgeProgram {
  const child = spawn(process.execPath, [programFile, 'bridge', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const addresses: string[] = []
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const keep = (list: string[]) => (line: string) => {
    list.push(line)
    for (const look of watchers) look()
  }
  createInterface({ input: child.stdout }).on('line', keep(addresses))
  createInterface({ input: child.stderr }).on('line', keep(lines))

  async function find(list: readonly string[], pattern: RegExp): Promise<string> {
    const found = new Promise<string>((resolve) => {
      const look = () => {
        const line = list.find((each) => pattern.test(each))
        if (line === undefined) return
        watchers.delete(look)
        resolve(line)
      }
      watchers.add(look)
      look()
    })
    const gone = ended.then((code) => {
      throw new Error(`the bridge ended with ${code} and never said ${pattern}:\n${lines.join('\n')}`)
    })
    return Promise.race([found, gone])
  }

  return {
    addresses,
    log: () => lines.join('\n'),
    address: (pattern) => find(addresses, pattern),
    says: async (pattern) => void (await find(lines, pattern)),
    signal: (signal) => void child.kill(signal),
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}
