import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** STUN and TURN as an operator runs them: the configuration that is shipped, at the addresses of the laboratory. */
export interface TurnPlace {
  readonly namespace: string
  /** It listens at all of them, and relays from the first. */
  readonly addresses: readonly string[]
  readonly secret: string
  readonly folder: string
  /** That of the repository. */
  readonly root: string
}

export const turnPort = 3478

/** Resolves once it listens everywhere; it ends with its namespace. */
export async function startTurn({ namespace, addresses, secret, folder, root }: TurnPlace): Promise<void> {
  const shipped = await readFile(join(root, 'signal-server/deploy/turnserver.conf'), 'utf8')
  const config = shipped
    .replace(/^#static-auth-secret=$/m, `static-auth-secret=${secret}`)
    .replace(/^tls-listening-port=.*$/m, 'no-tls')
    // The public addresses of the laboratory are those kept for documentation.
    .replace(/^denied-peer-ip=203\.0\.113\..*$/m, '')
  const own = [
    ...addresses.map((address) => `listening-ip=${address}`),
    `relay-ip=${addresses[0]}`,
    'relay-threads=1',
    `userdb=${join(folder, 'turndb')}`,
    `pidfile=${join(folder, 'turn.pid')}`,
  ]
  const file = join(folder, 'turnserver.conf')
  await writeFile(file, [config, ...own, ''].join('\n'))
  const child = spawn('ip', ['netns', 'exec', namespace, 'turnserver', '-c', file, '--verbose'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const awaited = new Set(
    addresses.flatMap((address) => [`UDP ${address}:${turnPort}`, `TCP ${address}:${turnPort}`]),
  )
  const said: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    const [, protocol, at] = /(UDP|TCP) listener opened on ?: (\S+)/.exec(line) ?? []
    awaited.delete(`${protocol} ${at}`)
    if (awaited.size > 0) continue
    child.stdout.resume()
    child.unref()
    return
  }
  throw new Error(`turnserver does not start:\n${said.join('\n')}`)
}
