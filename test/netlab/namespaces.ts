import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { canRun } from '../support/can-run.ts'

const run = promisify(execFile)

/** Network namespaces with one random prefix: two laboratories at once know nothing of each other. */
export interface Namespaces {
  readonly prefix: string
  /** A folder of that name, which goes when they go. */
  readonly folder: string
  /** The full name of one of them. */
  name(host: string): string
  /** Runs a shell script in one of them; rejects with what it printed when it fails. */
  run(host: string, script: string): Promise<void>
  /** Kills whatever runs in them, then deletes them; resolves when nothing is left. */
  close(): Promise<void>
}

/**
 * Makes them. However this process ends, SIGKILL included, a watchdog in a session of its own notices it by a pipe
 * and clears them away; closing does nothing else than end that pipe.
 */
export async function createNamespaces(hosts: readonly string[]): Promise<Namespaces> {
  const folder = await mkdtemp(join(tmpdir(), 'multiserver-lab-'))
  const prefix = basename(folder)
  const name = (host: string) => `${prefix}-${host}`
  const watchdog = spawn('sh', ['-c', clearAway, 'watchdog', folder, ...hosts.map(name)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const gone = once(watchdog, 'exit')
  const namespaces: Namespaces = {
    prefix,
    folder,
    name,
    async run(host, script) {
      await run('ip', ['netns', 'exec', name(host), 'sh', '-ec', script])
    },
    async close() {
      watchdog.stdin.end()
      await gone
    },
  }
  try {
    await run('sh', ['-ec', hosts.map((host) => `ip netns add ${name(host)}\n`).join('')])
    await Promise.all(hosts.map((host) => namespaces.run(host, 'ip link set lo up')))
    return namespaces
  } catch (error) {
    await namespaces.close()
    throw error
  }
}

/** Twice: what a process started while it was being killed goes in the second round. */
const clearAway = `
trap '' INT TERM HUP
cat >/dev/null
folder=$1
shift
for round in 1 2; do
  for name; do ip netns pids "$name" 2>/dev/null | xargs -r kill -KILL 2>/dev/null; done
done
for name; do ip netns del "$name" 2>/dev/null; done
rm -rf "$folder"
`

/** Why there can be no laboratory here; empty when there can. */
export const missing = whatIsMissing()

function whatIsMissing(): string {
  const tools = ['ip', 'nft', 'conntrack', 'turnserver', 'python3'].filter((program) => !canRun(program))
  if (tools.length > 0) return ` (not installed: ${tools.join(', ')}; run scripts/install-test-tools.sh)`
  if (!existsSync('/dev/net/tun')) return ' (there is no /dev/net/tun)'
  try {
    // As `ip netns` does: a network of its own, and mounts of its own.
    execFileSync('unshare', ['--net', '--mount', 'true'], { stdio: 'ignore' })
    return ''
  } catch {
    return ' (network namespaces are not allowed: they need root)'
  }
}

/** A file beside this one, also when this one has been compiled to another place. */
export function labFile(name: string): string {
  const root = dirname(createRequire(import.meta.url).resolve('multiserver/package.json'))
  return join(root, 'test', 'netlab', name)
}
