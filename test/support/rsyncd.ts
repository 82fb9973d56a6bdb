import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { canRun, titleOf } from './can-run.ts'
import { freePort } from './fixed-port.ts'
import { reach } from './reach.ts'

/** rsync of Debian; its suites are skipped, aloud, where it is missing. */
export const hasRsync = canRun('rsync')
/** For the names of those suites. */
export const rsync = titleOf('rsync')

export interface Rsyncd {
  readonly port: number
  stop(): Promise<void>
}

/** An rsync daemon of one's own, with its files in `folder`, which gives and takes the tree at `path` as `tree`. */
export async function startRsyncd(folder: string, path: string): Promise<Rsyncd> {
  const port = await freePort()
  const configuration = `
    address = 127.0.0.1
    port = ${port}
    use chroot = no
    uid = ${process.getuid?.() ?? 0}
    gid = ${process.getgid?.() ?? 0}
    log file = ${join(folder, 'log')}
    [tree]
    path = ${path}
    read only = no
  `
  const file = join(folder, 'rsyncd.conf')
  writeFileSync(file, configuration)
  const child = spawn('rsync', ['--daemon', '--no-detach', `--config=${file}`], { stdio: 'ignore' })
  const gone = once(child, 'exit')
  await vi.waitFor(() => reach(port), { timeout: 30_000 })
  return {
    port,
    async stop() {
      child.kill()
      await gone
    },
  }
}
