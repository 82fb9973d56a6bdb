import { randomInt } from 'node:crypto'
import { chmod, link, lstat, mkdir, mkdtemp, rm, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MultiserverError } from '../core/errors.ts'

export interface ListeningPath {
  readonly path: string
  /** Stops accepting and takes the socket out of the file system; connections that are open go on. */
  readonly close: () => Promise<void>
}

const isWindows = process.platform === 'win32'

/** `sun_path` of sockaddr_un with the zero at its end: 108 bytes on Linux (unix(7)), 104 on macOS and the BSDs. */
const longestPathBytes = (process.platform === 'linux' ? 108 : 104) - 1

/** Listens at `path`, or in a new directory of its own. Rejects with LISTEN_FAILED and leaves nothing behind. */
export async function listenOnPath(
  makeServer: () => Server,
  path: string | undefined,
  onError: (error: Error) => void,
): Promise<ListeningPath> {
  const place = path ?? (await makePlace())
  const removePlace = async () => {
    if (path === undefined && !isWindows) await rm(dirname(place), { recursive: true, force: true })
  }
  const server = makeServer()
  try {
    // A pipe of Windows is no file: the system guards its name and takes it away.
    const remove = isWindows ? await bind(server, place) : await bindFile(server, place)
    server.on('error', onError)
    const close = async () => {
      await remove()
      server.close()
      await removePlace()
    }
    let closing: Promise<void> | undefined
    return { path: place, close: () => (closing ??= close()) }
  } catch (cause) {
    server.close()
    await removePlace()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MultiserverError('LISTEN_FAILED', `could not listen at ${place}: ${why}`, { cause })
  }
}

/** Why no socket can be at `path`, if so. Node would cut a path that is too long, and use another. */
export function whyUnusable(path: string): string | undefined {
  const bytes = new TextEncoder().encode(path).length
  if (isWindows || bytes <= longestPathBytes) return undefined
  return `${path} has ${bytes} bytes; the path of a unix socket has at most ${longestPathBytes} here`
}

async function makePlace(): Promise<string> {
  if (isWindows) return `\\\\.\\pipe\\multiserver-${process.pid}-${randomInt(2 ** 32)}`
  return join(await mkdtemp(join(tmpdir(), 'multiserver-')), 'socket')
}

/**
 * A socket gets its mode after its name, and in between anybody could connect. So it is made where only we can
 * look, and linked to its name when it is ready; unlike a rename, a link never takes a name from somebody else.
 */
async function bindFile(server: Server, path: string): Promise<() => Promise<void>> {
  const unusable = whyUnusable(path)
  if (unusable !== undefined) throw new Error(unusable)
  const folder = await makePrivateFolder(dirname(path))
  try {
    const hidden = join(folder, 's')
    const unusableHidden = whyUnusable(hidden)
    if (unusableHidden !== undefined) throw new Error(unusableHidden)
    await bind(server, hidden)
    await chmod(hidden, 0o600)
    const { ino } = await lstat(hidden)
    await linkTo(hidden, path)
    return () => removeOwn(path, ino)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Its name is short, because the path of the socket in it is bounded as well. */
async function makePrivateFolder(parent: string): Promise<string> {
  for (let attempts = 0; ; attempts++) {
    const folder = join(
      parent,
      `.${randomInt(36 ** 2)
        .toString(36)
        .padStart(2, '0')}`,
    )
    try {
      await mkdir(folder, 0o700)
      return folder
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || attempts === 20) throw error
    }
  }
}

async function bind(server: Server, path: string): Promise<() => Promise<void>> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return () => Promise.resolve()
}

async function linkTo(hidden: string, path: string): Promise<void> {
  try {
    await link(hidden, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    await removeStale(path)
    await link(hidden, path)
  }
}

/** Removes the socket of a process that is gone, and nothing else. */
async function removeStale(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) throw new Error('there is a file already that is no socket')
  const refusal = await probe(path)
  if (refusal === undefined) throw new Error('somebody listens there already')
  if (codeOf(refusal) !== 'ECONNREFUSED') throw refusal
  await unlink(path)
}

/** Connects and leaves; the error when nobody let us in. */
function probe(path: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('error', resolve)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
  })
}

/** Another process may have taken the name over, by force. */
async function removeOwn(path: string, ino: number): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  if (there?.ino === ino) await rm(path, { force: true })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
