import { Option, type Command } from 'commander'
import { CliError } from '../failures.ts'
import { addDialFlags, parseNumber, type DialFlags } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { makeDialer } from '../peer.ts'
import { examples, printable, say } from '../terminal.ts'
import { asCliError, checkComplete } from '../transfer/failure.ts'
import { createJsonReporter, createTextReporter } from '../transfer/reporter.ts'
import { sendFiles } from '../transfer/sending.ts'
import { findSourceFiles } from '../transfer/source-files.ts'

interface SendFlags extends DialFlags {
  readonly recursive?: boolean | undefined
  readonly json?: boolean | undefined
  /** Seconds. */
  readonly retry: number
}

/** `send FILE… ADDRESS`: files to who runs `receive`. */
export function addSend(program: Command): void {
  const command = program
    .command('send')
    .summary('send files to who receives them')
    .description(
      'Sends files to a peer that runs `multiserver receive`, which prints its ADDRESS. When the connection breaks it goes on by itself where it was, and when this command is run again too. Each file is checked by its SHA-256.',
    )
    .usage('[options] <file...> <address>')
    .argument('<file...>', 'the files, and at the end the address, between quotes')
    .option('-r, --recursive', 'send folders, with the files in them; links are left out')
    .addOption(
      new Option('--retry <seconds>', 'how long to go on trying after the connection broke')
        .argParser((text) => parseNumber(text, 0, 604_800))
        .default(600),
    )
    .option('--json', 'tell what happens in lines of JSON')
  addDialFlags(command)
    .addHelpText(
      'after',
      examples(
        ["multiserver send holiday.mp4 'ADDRESS'", 'one file'],
        ["multiserver send -r photos notes.txt 'ADDRESS'", 'a folder and a file'],
        ["multiserver send --json --retry 0 backup.tar 'ADDRESS' | jq -r .event", 'in a script'],
      ),
    )
    .action(send)
}

async function send(args: readonly string[], flags: SendFlags): Promise<void> {
  const [paths, address] = [args.slice(0, -1), args.at(-1) ?? '']
  if (paths.length === 0) {
    throw new CliError('usage', 'there is no file, or no address', "multiserver send FILE 'ADDRESS'")
  }
  const signal = onInterruption()
  const { report, makeRoom } = flags.json === true ? createJsonReporter() : createTextReporter()
  try {
    const files = await findSourceFiles(paths, {
      recursive: flags.recursive === true,
      onSkip: (path, why) => say(`Left out  ${printable(path)}: ${why}`),
    })
    const { ms } = await makeDialer(flags)
    const timeoutMs = flags.timeout === undefined ? undefined : flags.timeout * 1000
    // Files go to who proves to be the one in the address, and to nobody else.
    const dial = () => ms.client(address, { timeoutMs, signal, minStrength: 1 })
    checkComplete(await sendFiles({ files, dial, retryMs: flags.retry * 1000, signal, report }))
  } catch (thrown) {
    throw asCliError(thrown)
  } finally {
    makeRoom()
  }
}
