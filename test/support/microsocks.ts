import { spawn } from 'node:child_process'
import { vi } from 'vitest'
import { canRun, titleOf } from './can-run.ts'
import { freePort } from './fixed-port.ts'
import { reach } from './reach.ts'

/** A SOCKS5 server of Debian; its suites are skipped, aloud, where it is missing. */
export const hasMicrosocks = canRun('microsocks')
/** For the names of those suites. */
export const microsocks = titleOf('microsocks')

export interface Microsocks {
  readonly port: number
  /** `HOST:PORT`. */
  readonly proxy: string
  readonly stop: () => Promise<void>
}

/** Resolves when it accepts connections. @param options `-u USER -P PASSWORD`, without which it serves everybody */
export async function startMicrosocks(...options: string[]): Promise<Microsocks> {
  const port = await freePort()
  const child = spawn('microsocks', ['-i', '127.0.0.1', '-p', String(port), ...options], { stdio: 'ignore' })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await vi.waitFor(() => reach(port), { timeout: 5000 })
  return {
    port,
    proxy: `127.0.0.1:${port}`,
    stop() {
      child.kill()
      return gone
    },
  }
}
