import { writeFile } from 'node:fs/promises'
import { formatAlternative } from '../core/address.ts'
import { MultiServer, type CloseServer, type Connection } from '../core/multiserver.ts'
import { describeFailure } from './failures.ts'
import { keysForDialing, keysForListening } from './key-file.ts'
import { paint, printable, say, shellWord } from './terminal.ts'
import { dialStacks, listenStacks } from './stacks.ts'
import type { DialFlags, ListenFlags } from './flags.ts'
import type { MultiserverError } from '../core/errors.ts'
import type { Keys } from '../plugs/keys.ts'

/** A MultiServer as the command line asks for, and who it is. */
export interface Peer {
  readonly ms: MultiServer
  readonly keys: Keys
}

/** One that dials whatever this package can dial. */
export async function makeDialer(flags: DialFlags): Promise<Peer> {
  const keys = await keysForDialing(flags.key)
  return { keys, ms: MultiServer(dialStacks(keys, flags)) }
}

/** Dials within `--timeout`, until `signal` aborts. */
export function dial(
  { ms }: Peer,
  address: string,
  flags: DialFlags,
  signal?: AbortSignal,
): Promise<Connection> {
  const timeoutMs = flags.timeout === undefined ? undefined : flags.timeout * 1000
  return ms.client(address, { timeoutMs, signal })
}

/** One that listens where flags and patterns say, once {@link startListening} is called. @throws CliError */
export async function makeListener(flags: ListenFlags, patterns?: readonly string[]): Promise<Peer> {
  const keys = await keysForListening(flags.key)
  return { keys, ms: MultiServer(listenStacks(keys, flags, patterns)) }
}

export interface Listening {
  /** To give to others. */
  readonly address: string
  readonly close: CloseServer
}

/**
 * Listens, writes the address where `--address-file` says, and resolves once every stack listens. What goes wrong later
 * is said on stderr.
 *
 * @throws LISTEN_FAILED, with nothing left open; what `signal` aborts with
 */
export async function startListening(
  { ms }: Peer,
  flags: ListenFlags,
  onConnection: (connection: Connection) => unknown,
  signal?: AbortSignal,
): Promise<Listening> {
  const close = ms.server(onConnection, sayTrouble)
  const stop = () => void close()
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted === true) stop()
  try {
    await close.listening
  } catch (thrown) {
    await close()
    throw signal?.aborted === true ? signal.reason : thrown
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  const address = shareableAddress(ms)
  if (flags.addressFile !== undefined) await writeFile(flags.addressFile, `${address}\n`)
  return { address, close }
}

function sayTrouble(error: MultiserverError): void {
  // The first rejects `listening`; whom `--allow` does not name is said with the key.
  if (error.code === 'LISTEN_FAILED' || error.code === 'AUTH_REFUSED') return
  const isOurs = error.code.startsWith('HUB_') || error.code.startsWith('RECORD_')
  if (isOurs) for (const line of describeFailure(error)) say(line)
  else say(`${paint('yellow', 'A connection failed:')} ${error.code}: ${printable(error.message)}`)
}

/** What others can use: what can be reached from elsewhere, else what can be from this machine. */
function shareableAddress(ms: MultiServer): string {
  const wider = [ms.stringify('public'), ms.stringify('local')].filter((text) => text !== '')
  const all = wider.length > 0 ? wider : [ms.stringify('device')]
  return [...new Set(all.flatMap((text) => ms.parse(text).map(formatAlternative)))].join(';')
}

/** On stderr: how others reach what has just begun to listen. `command` is what they run. */
export function sayHowToConnect(command: string, address: string): void {
  say(`${paint('green', 'Listening.')} Others run:`)
  say(`  ${ownCommand()} ${command.replace('ADDRESS', shellWord(address))}`)
}

/** As this process was started: where npx runs it there need be no `multiserver` to be found. */
function ownCommand(): string {
  return process.env['npm_command'] === 'exec' ? 'npx multiserver' : 'multiserver'
}
