import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Readable } from 'node:stream'

/** As built. */
export const programFile = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** For shells: `multiserver` there is the program as built. */
export const shellPrelude = `multiserver() { ${JSON.stringify(process.execPath)} ${JSON.stringify(programFile)} "$@"; }\n`

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  /** So far. */
  stdout(): string
  /** What of stdout matches, once it does. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** What of stderr matches, once it does. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** Asks it to end, and resolves once it has. */
  stop(): Promise<Outcome>
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'multiserver-cli-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the command to its end. */
export async function run(args: readonly string[], input = '', environment = {}): Promise<Outcome> {
  const running = start(args, environment)
  running.child.stdin?.end(input)
  return running.ended
}

/** Starts the command; it is killed when the test is over and it still runs. */
export function start(args: readonly string[], environment = {}): Running {
  return watch(spawn(process.execPath, [programFile, ...args], { env: cleanEnvironment(environment) }))
}

/** Starts a line of bash in which `multiserver` is the command. */
export function startShell(script: string, environment = {}): Running {
  const child = spawn('bash', ['-c', `set -o pipefail\n${shellPrelude}${script}`], {
    env: cleanEnvironment(environment),
    // Everything in the pipe goes with it.
    detached: true,
  })
  return watch(child, () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'))
}

/** The address that `--address-file` has, once the command has written it. */
export async function addressIn(file: string, running: Running): Promise<string> {
  await running.said(/Listening\./)
  return (await readFile(file, 'utf8')).trim()
}

/** Nothing of who runs the tests: no key of theirs, no hub, no colours. */
function cleanEnvironment(environment: Record<string, string>): Record<string, string> {
  const home = environment['HOME'] ?? temporaryFolder()
  return { PATH: process.env['PATH'] ?? '', HOME: home, ...environment }
}

function watch(child: ChildProcess, kill: () => unknown = () => child.kill('SIGKILL')): Running {
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.stdin?.on('error', () => undefined)
  const ended = once(child, 'close').then(([code]) => {
    return { code: code as number | null, stdout: stdout.text(), stderr: stderr.text() }
  })
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) kill()
    await ended
  })
  return {
    child,
    ended,
    stdout: stdout.text,
    printed: (pattern) => stdout.until(pattern),
    said: (pattern) => stderr.until(pattern),
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

function collect(stream: Readable | null) {
  let text = ''
  const looking = new Set<() => void>()
  stream?.setEncoding('utf8')
  stream?.on('data', (chunk: string) => {
    text += chunk
    for (const look of looking) look()
  })
  stream?.once('close', () => looking.forEach((look) => look()))
  return {
    text: () => text,
    until(pattern: RegExp): Promise<RegExpExecArray> {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(text)
          if (found === null && stream?.closed !== true) return
          looking.delete(look)
          if (found === null) reject(new Error(`it has ended without ${pattern}: ${text}`))
          else resolve(found)
        }
        looking.add(look)
        look()
      })
    },
  }
}
