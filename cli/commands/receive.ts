import { createInterface } from 'node:readline/promises'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { untilAborted } from '../../core/deadline.ts'
import { toError } from '../../core/errors.ts'
import { CliError } from '../failures.ts'
import { addListenFlags, type ListenFlags } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { makeListener, sayHowToConnect, startListening } from '../peer.ts'
import { examples, say } from '../terminal.ts'
import { asCliError, checkComplete } from '../transfer/failure.ts'
import { Folder } from '../transfer/folder.ts'
import { Receiver } from '../transfer/receiver.ts'
import { createJsonReporter, createTextReporter, type Reporter } from '../transfer/reporter.ts'
import { formatBytes } from '../words.ts'
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

/** `receive [DIR]`: files from who runs `send`. */
export function addReceive(program: Command): void {
  const command = program
    .command('receive')
    .summary('receive the files that somebody sends')
    .description(
      'Says on stderr how others send files here, and puts what they send into DIR under safe names. Nothing that is there is replaced without --overwrite. You are asked before anything is taken, except from who may connect by --allow, or with --yes. What breaks in the middle is kept as NAME.part and goes on when the sender comes back. It ends after one transfer.',
    )
    .argument('[dir]', 'where to put them; made when it is not there', '.')
    .option('--yes', 'take what is offered without asking')
    .option('--keep', 'go on receiving after the first transfer')
    .addOption(new Option('--overwrite', 'replace files that have the same name').conflicts('rename'))
    .option('--rename', 'call a file whose name is taken `name (1)`')
    .addOption(
      new Option('--max-size <size>', 'the most to take in one transfer: 500MB, 2GiB').argParser(parseSize),
    )
    .option('--json', 'tell what happens in lines of JSON')
  addListenFlags(command)
    .addHelpText(
      'after',
      examples(
        ['multiserver receive --hub hub.example.com', 'into this folder, from behind any NAT'],
        [
          'multiserver receive inbox --net 8008 --scope local --key inbox.json --allow KEY --keep',
          'one friend, for ever',
        ],
        ['multiserver receive --hub hub.example.com --yes --json --address-file address.txt', 'in a script'],
      ),
    )
    .action(receive)
}

async function receive(path: string, flags: ReceiveFlags): Promise<void> {
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
    say(`  ${label}  ${formatBytes(file.size)}`)
  const more = offer.placements.length - mostShown
  if (more > 0) say(`  and ${more} more`)
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

const units: Readonly<Record<string, number>> = { '': 1, K: 1000, M: 1000 ** 2, G: 1000 ** 3, T: 1000 ** 4 }
const binaryUnits: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** `500MB`, `2GiB`, `1000`. */
function parseSize(text: string): number {
  const [, number = '', unit = '', binary] =
    /^(\d{1,12}(?:\.\d{1,3})?)\s*(?:([kKMGT])(i)?)?B?$/.exec(text) ?? []
  const factor = (binary === undefined ? units : binaryUnits)[unit.toUpperCase()]
  if (number === '' || factor === undefined) {
    throw new InvalidArgumentError('A size is a number with a unit: 500MB, 2GiB.')
  }
  return Math.floor(Number(number) * factor)
}
