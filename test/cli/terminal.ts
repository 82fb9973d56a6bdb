import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, vi } from 'vitest'

/** A command on a terminal of its own. */
export function openTerminal(command: string) {
  const child: ChildProcess = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let shown = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (shown += text))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    ended,
    text: () => shown,
    type: (keys: string) => child.stdin?.write(keys),
    shows: (what: string, times = 1) =>
      vi.waitFor(() => expect(shown.split(what).length).toBeGreaterThan(times), { timeout: 30_000 }),
  }
}
