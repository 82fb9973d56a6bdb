import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { labFile } from './namespaces.ts'

/** What befalls packets on a link. Chances are 0 to 1; whatever is left out does not happen. */
export interface Faults {
  readonly loss?: number
  /** One way. */
  readonly delayMs?: number
  /** More or less than `delayMs`, evenly spread. */
  readonly jitterMs?: number
  /** The chance to overtake what is delayed. */
  readonly reorder?: number
  readonly duplicate?: number
  /** The chance of one flipped bit behind the IP header; checksums make a loss of most. */
  readonly corrupt?: number
  readonly bitsPerSecond?: number
  /** TCP, which the hub is reached by, has delay and rate only. */
  readonly sparesTcp?: boolean
}

type Command =
  | readonly ['set', string, Faults]
  | readonly ['down' | 'up', string]
  | readonly ['part' | 'join', string, string]
  | readonly ['move', string, string, string]
  | readonly ['count']

/** Packets so far. */
export interface Counts {
  readonly received: number
  readonly delivered: number
  readonly dropped: number
}

export interface Internet {
  /** Resolves once it holds. */
  tell(command: Command): Promise<unknown>
  close(): Promise<void>
}

export interface Host {
  readonly name: string
  readonly namespace: string
  readonly addresses: readonly string[]
}

/** Connects `hosts`: each gets a device `wan0`. The process runs in `namespace`. */
export async function startInternet(
  namespace: string,
  seed: number,
  hosts: readonly Host[],
): Promise<Internet> {
  const ports = hosts.map((host) => `${host.name}=${host.namespace}=${host.addresses.join(',')}`)
  const script = labFile('internet.py')
  const child = spawn('ip', ['netns', 'exec', namespace, 'python3', script, String(seed), ...ports], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let last = nextAnswer(lines)
  await last
  return {
    tell(command) {
      last = last
        .catch(() => undefined)
        .then(() => {
          child.stdin.write(`${JSON.stringify(command)}\n`)
          return nextAnswer(lines)
        })
      return last
    },
    async close() {
      child.stdin.end()
      await exited
    },
  }
}

async function nextAnswer(lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next()
  if (done === true) throw new Error('the internet of the laboratory has ended')
  const answer = JSON.parse(value) as { error?: string }
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer
}
