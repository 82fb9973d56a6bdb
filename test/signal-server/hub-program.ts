import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** As built. */
export const programFile = fileURLToPath(new URL('../../dist/signal-server/main.js', import.meta.url))

export interface HubProgram {
  child: ChildProcess
  /** Where it listens. */
  url: string
  ended: Promise<{ code: number | null; signal: string | null }>
}

/** The built program in a process of its own, once it listens. */
export async function startHubProgram(environment: Record<string, string>): Promise<HubProgram> {
  const child = spawn(process.execPath, [programFile], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    return { code: code as number | null, signal: signal as string | null }
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const [address] = /http:\/\/[^\s"]+/.exec(line) ?? []
    if (address === undefined) continue
    child.stdout.resume()
    return { child, ended, url: address.replace('http', 'ws') }
  }
  throw new Error(`the hub does not listen: it ended with ${(await ended).code}`)
}

/** Whatever state it is in. */
export async function killHubProgram({ child, ended }: HubProgram): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
