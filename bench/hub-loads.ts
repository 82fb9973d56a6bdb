import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { row, type Row } from './hub/figures.ts'

/** A load of `bench:hub` that a run of everything has too. */
export interface HubLoad {
  readonly title: string
  readonly scenario: string
  /** For every step of it. */
  readonly seconds: number
}

export const hubLoads: readonly HubLoad[] = [
  { title: 'hub beside peerjs-server and the server of y-webrtc', scenario: 'beside', seconds: 2 },
  { title: 'hub with 1,000 to 15,000 peers', scenario: 'growth', seconds: 3 },
  { title: 'hub as a cluster of 1 to 3 nodes', scenario: 'cluster', seconds: 3 },
]

const program = fileURLToPath(new URL('./hub/main.js', import.meta.url))
/** More than the longest takes. */
const mostMs = 300_000

/** Its rows, or one that says why there are none. */
export async function load({ scenario, seconds }: HubLoad): Promise<Row[]> {
  const child = fork(program, [scenario, '--seconds', `${seconds}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const guard = setTimeout(() => child.kill(), mostMs)
  try {
    return await rowsOf(child)
  } catch (error) {
    return [
      row(scenario, `failed: ${error instanceof Error ? error.message : String(error)}`, 'to run', false),
    ]
  } finally {
    clearTimeout(guard)
  }
}

async function rowsOf(child: ChildProcess): Promise<Row[]> {
  let said: { rows?: Row[]; failed?: string } = {}
  child.on('message', (message: object) => (said = message))
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (said.rows === undefined) throw new Error(said.failed ?? `the process ended with ${signal ?? code}`)
  return said.rows
}
