import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { StartHubOptions } from '../../signal-server/start.ts'
import { labFile } from './namespaces.ts'

/** A hub in its namespace, which can die and come back. */
export interface LabHub {
  /** `ws://ADDRESS:PORT` */
  readonly url: string
  /** As when its machine loses power. */
  kill(): Promise<void>
  /** As an operator stops it: peers are told. */
  leave(): Promise<void>
  /** Again, at the same place, with nothing of what it knew. Resolves once it listens. */
  start(): Promise<void>
}

/** @param options what `startHub` takes; it must be JSON */
export async function startLabHub(
  namespace: string,
  address: string,
  port: number,
  options: StartHubOptions,
): Promise<LabHub> {
  const url = `ws://${address}:${port}`
  const given = JSON.stringify({ ...options, host: address, port, hubNames: [url] })
  let child: ChildProcess
  const start = async () => {
    child = spawn('ip', ['netns', 'exec', namespace, process.execPath, labFile('hub-process.mjs'), given], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error(`the hub at ${url} does not start`))),
    ])
  }
  const end = async (how: () => void) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    how()
    await exited
  }
  await start()
  return {
    url,
    start,
    kill: () => end(() => child.kill('SIGKILL')),
    leave: () => end(() => child.send('leave')),
  }
}
