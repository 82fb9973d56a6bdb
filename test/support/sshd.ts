import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { canRun, titleOf } from './can-run.ts'
import { freePort } from './fixed-port.ts'

/** OpenSSH of Debian; its suites are skipped, aloud, where it is missing. */
export const hasSshd = canRun('sshd') && canRun('ssh')
/** For the names of those suites. */
export const sshd = titleOf(canRun('ssh') ? 'sshd' : 'ssh')

export interface Sshd {
  readonly port: number
  /** Of ssh, so that it reads nothing of who runs the tests. */
  readonly clientOptions: readonly string[]
  stop(): Promise<void>
}

/** An sshd of one's own: its keys, configuration and users' keys are in `folder`, and nothing of the system's is read. */
export async function startSshd(folder: string): Promise<Sshd> {
  const port = await freePort()
  const [hostKey, userKey] = ['host', 'user'].map((name) => makeKey(join(folder, name)))
  const { username, uid } = userInfo()
  // It insists on this one when it runs as root.
  if (uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const configuration = `
    ListenAddress 127.0.0.1
    Port ${port}
    HostKey ${hostKey}
    AuthorizedKeysFile ${userKey}.pub
    PidFile none
    UsePAM no
    StrictModes no
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    PermitRootLogin prohibit-password
  `
  writeFileSync(join(folder, 'config'), configuration)
  const program = execFileSync('which', ['sshd'], { encoding: 'utf8' }).trim()
  const child = spawn(program, ['-D', '-e', '-f', join(folder, 'config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = once(child, 'exit')
  for await (const line of createInterface({ input: child.stderr })) if (/listening/.test(line)) break
  child.stderr.resume()
  const known = ['UserKnownHostsFile=/dev/null', 'StrictHostKeyChecking=no', 'LogLevel=ERROR']
  const login = ['IdentitiesOnly=yes', 'BatchMode=yes', `User=${username}`]
  return {
    port,
    clientOptions: [
      '-F',
      'none',
      '-i',
      userKey ?? '',
      ...[...known, ...login].flatMap((option) => ['-o', option]),
    ],
    async stop() {
      child.kill()
      await gone
    },
  }
}

function makeKey(file: string): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  return file
}
