import { closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { abortReason } from '../core/deadline.ts'
import { MultiserverError, toError } from '../core/errors.ts'
import type { ByteStream } from '../core/types.ts'

/** A connection, or a stream in one. */
type Joined = ByteStream & { readonly error?: Error | undefined }

/**
 * Joins a stream with stdin and stdout: what is read on one side is written on the other, each side waits for the
 * other, and the end of a direction is passed on alone. Resolves once both have ended.
 *
 * @throws what the stream broke with, or what `signal` aborts with
 */
export async function joinStdio(stream: Joined, signal: AbortSignal): Promise<void> {
  const { stdin } = process
  const stop = () => stream.abort(abortReason(signal))
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const broken = new AbortController()
  void stream.closed.then(() => {
    // Nobody takes what it still has.
    stdin.destroy()
    if (stream.error !== undefined) broken.abort(stream.error)
  })
  try {
    await Promise.all([send(stream), receive(stream, broken.signal)])
    if (stream.error !== undefined) throw stream.error
  } catch (thrown) {
    stream.abort(toError(thrown, 'CONNECTION_LOST'))
    // A failed write does not know why; the connection does.
    throw signal.aborted ? abortReason(signal) : (stream.error ?? thrown)
  } finally {
    signal.removeEventListener('abort', stop)
    stdin.destroy()
  }
}

async function send(stream: Joined): Promise<void> {
  try {
    for await (const chunk of process.stdin) await stream.write(chunk as Buffer)
  } catch (thrown) {
    if (isDestroyed(thrown)) return
    throw thrown
  }
  await stream.end()
}

/** The connection was over, and stdin let go. How it ended, reading finds out. */
function isDestroyed(thrown: unknown): boolean {
  if (thrown instanceof MultiserverError) return false
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

/** Waits for who reads stdout, unless there is nothing more to come. */
async function receive(stream: Joined, broken: AbortSignal): Promise<void> {
  const { stdout } = process
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
    if (!stdout.write(chunk)) await once(stdout, 'drain', { signal: broken })
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
