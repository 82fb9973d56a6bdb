import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fixedPort } from '../support/fixed-port.ts'

export interface Coturn {
  port: number
  secret: string
  stop(): Promise<void>
}

/** The configuration that is shipped, at a port of the test, and `lines` of its own. */
export async function startCoturn(lines: readonly string[] = []): Promise<Coturn> {
  const port = fixedPort()
  const secret = 'a secret for tests'
  const folder = await mkdtemp(join(tmpdir(), 'multiserver-coturn-'))
  const shipped = await readFile(
    new URL('../../signal-server/deploy/turnserver.conf', import.meta.url),
    'utf8',
  )
  const config = shipped
    .replace(/^listening-port=.*$/m, `listening-port=${port}`)
    .replace(/^#static-auth-secret=$/m, `static-auth-secret=${secret}`)
    .replace(/^tls-listening-port=.*$/m, 'no-tls')
  const own = ['listening-ip=127.0.0.1', 'relay-ip=127.0.0.1', `userdb=${join(folder, 'turndb')}`, ...lines]
  const file = join(folder, 'turnserver.conf')
  await writeFile(file, [config, ...own, ''].join('\n'))
  const pidFile = join(folder, 'pid')
  const child = spawn('turnserver', ['-c', file, '--pidfile', pidFile, '--verbose'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit')
  const stop = async () => {
    child.kill()
    await exited
    await rm(folder, { recursive: true })
  }
  const said: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    if (!line.includes(`UDP listener opened on: 127.0.0.1:${port}`)) continue
    child.stdout.resume()
    return { port, secret, stop }
  }
  await stop()
  throw new Error(`turnserver does not start:\n${said.join('\n')}`)
}
