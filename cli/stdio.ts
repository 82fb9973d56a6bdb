import { closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { MultiserverError } from '../core/errors.ts'
import type { Connection } from '../core/multiserver.ts'

/**
 * Joins a connection with stdin and stdout: what is read on one side is written on the other, each side waits for the
 * other, and the end of a direction is passed on alone. Resolves once both have ended, and the connection is closed.
 *
 * @throws what the connection broke with, or what `signal` aborts with
 */
export async function joinStdio(connection: Connection, signal: AbortSignal): Promise<void> {
  const { stdin } = process
  const stop = () => connection.abort(signal.reason instanceof Error ? signal.reason : undefined)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  // Nobody takes what stdin still has.
  void connection.closed.then(() => stdin.destroy())
  try {
    await Promise.all([send(connection), receive(connection)])
    await connection.close()
    if (connection.error !== undefined) throw connection.error
  } catch (thrown) {
    connection.abort(thrown instanceof Error ? thrown : undefined)
    // A failed write does not know why; the connection does.
    throw connection.error ?? thrown
  } finally {
    signal.removeEventListener('abort', stop)
    stdin.destroy()
  }
}

async function send(connection: Connection): Promise<void> {
  try {
    for await (const chunk of process.stdin) await connection.write(chunk as Buffer)
  } catch (thrown) {
    if (isDestroyed(thrown)) return
    throw thrown
  }
  await connection.end()
}

/** The connection was over, and stdin let go. How it ended, reading finds out. */
function isDestroyed(thrown: unknown): boolean {
  if (thrown instanceof MultiserverError) return false
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

async function receive(connection: Connection): Promise<void> {
  const { stdout } = process
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
    if (!stdout.write(chunk)) await once(stdout, 'drain')
  }
  await closeStdout()
}

/**
 * Whoever reads stdout learns of the peer's end at once, also while stdin goes on. Node has no way to close stdout; its
 * number is given to /dev/null, because libuv does not bear another file there.
 */
async function closeStdout(): Promise<void> {
  const { stdout } = process
  if (stdout.isTTY || process.platform === 'win32') return
  await new Promise<void>((resolve) => stdout.write('', () => resolve()))
  closeSync(1)
  openSync('/dev/null', 'w')
}
