import { createInterface } from 'node:readline/promises'
import { untilAborted } from '../../core/deadline.ts'
import { toError } from '../../core/errors.ts'
import { CliError } from '../failures.ts'
import { onInterruption } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { say } from '../terminal.ts'
import { asCliError, checkComplete } from '../transfer/failure.ts'
import { Folder } from '../transfer/folder.ts'
import { Receiver } from '../transfer/receiver.ts'
import { createJsonReporter, createTextReporter, type Reporter } from '../transfer/reporter.ts'
import { countOf, formatBytes } from '../words.ts'
import type { ListenFlags } from '../flags.ts'
import type { ConsideredOffer } from '../transfer/incoming.ts'

interface ReceiveFlags extends ListenFlags {
  readonly yes?: boolean | undefined
  readonly keep?: boolean | undefined
  readonly overwrite?: boolean | undefined
  readonly rename?: boolean | undefined
  /** Bytes. */
  readonly maxSize?: number | undefined
  readonly json?: boolean | undefined
}

/** Until one transfer is over, or with `--keep` until it is told to end. */
export async function receive(path: string, flags: ReceiveFlags): Promise<void> {
  const { yes = false, keep = false, json = false, maxSize = Number.MAX_SAFE_INTEGER, allow } = flags
  const isAsked = !yes && allow === undefined
  if (isAsked && !process.stdin.isTTY) {
    throw new CliError(
      'usage',
      'nobody can be asked what to take: this is no terminal',
      'Say --allow KEY, or --yes to take everything from everyone who knows the address.',
    )
  }
  const signal = onInterruption()
  const reporter = json ? createJsonReporter() : createTextReporter()
  const folder = new Folder(
    path,
    flags.overwrite === true ? 'overwrite' : flags.rename === true ? 'rename' : 'refuse',
  )
  const receiver = new Receiver({
    folder,
    mostBytes: maxSize,
    report: reporter.report,
    ask: isAsked
      ? (peer, offer, gone) => ask(reporter, peer, offer, AbortSignal.any([gone, signal]))
      : undefined,
  })
  await folder.prepare()
  const peer = await makeListener(flags)
  const { address, close } = await startListening(
    peer,
    flags,
    (connection) => receiver.meet(connection),
    signal,
  )
  try {
    if (json) reporter.report({ event: 'listening', address })
    else sayHowToConnect('send FILE ADDRESS', address)
    const never = new Promise<never>(() => undefined)
    checkComplete(await untilAborted(keep ? never : receiver.first, signal, () => undefined))
  } catch (thrown) {
    await receiver.leave(toError(thrown, 'ABORTED'))
    throw asCliError(thrown)
  } finally {
    reporter.makeRoom()
    await close()
  }
}

/** On the terminal; no when the sender has gone meanwhile. */
async function ask(
  reporter: Reporter,
  peer: string,
  offer: ConsideredOffer,
  signal: AbortSignal,
): Promise<boolean> {
  reporter.makeRoom()
  for (const { label, file } of offer.placements.slice(0, mostShown))
    say(`  ${label}  ${formatBytes(file.size)}${file.executable ? '  can be executed' : ''}`)
  const more = offer.placements.length - mostShown
  if (more > 0) say(`  and ${more} more`)
  if (offer.folders > 0) say(`  and ${countOf(offer.folders, 'empty folder')}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // While a line is read, Ctrl-C is a key like others.
  terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await terminal.question(`Take them from ${peer}? [y/N] `, { signal })
    return /^y(?:es)?$/i.test(answer.trim())
  } catch {
    return false
  } finally {
    terminal.close()
  }
}

/** Names of an offer: a screen of them. */
const mostShown = 10
