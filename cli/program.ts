import { Command } from 'commander'
import { version } from '../signal-server/version.ts'
import { addAddress } from './commands/address.ts'
import { addBridge } from './commands/bridge.ts'
import { addConnect } from './commands/connect.ts'
import { addDoctor } from './commands/doctor.ts'
import { addExpose } from './commands/expose.ts'
import { addForward } from './commands/forward.ts'
import { addHub } from './commands/hub.ts'
import { addKeygen } from './commands/keygen.ts'
import { addListen } from './commands/listen.ts'
import { addLookup } from './commands/lookup.ts'
import { addPublish } from './commands/publish.ts'
import { exitCodes, reportFailure } from './failures.ts'
import { examples, paint } from './terminal.ts'

/** Each adds its command; help shows them in this order. */
const commands = [
  addKeygen,
  addAddress,
  addHub,
  addDoctor,
  addListen,
  addConnect,
  addExpose,
  addForward,
  addBridge,
  addLookup,
  addPublish,
]

/** Runs the command that `args` name and sets the exit code. Never rejects. */
export async function runProgram(args: readonly string[]): Promise<void> {
  endWithReader()
  try {
    await createProgram().parseAsync(args, { from: 'user' })
  } catch (thrown) {
    process.exitCode = reportFailure(thrown)
  }
}

/** The whole command line, without having run anything. */
export function createProgram(): Command {
  const program = new Command('multiserver')
    .description('Connects peers that can not otherwise reach each other. The protocol is in the address.')
    .version(version, '--version', 'the version')
    .helpOption('-h, --help', 'this text')
    .helpCommand('help [command]', 'the help of a command')
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error:/, paint('red', 'multiserver:'))),
    })
    .configureHelp({
      styleTitle: (title) => paint('bold', title, process.stdout),
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options] ', '')}`,
    })
    .addHelpText(
      'after',
      examples(
        ['multiserver keygen', 'make your key, and see its public half'],
        [
          'multiserver expose 22 --allow KEY --hub hub.example.com',
          'at home: ssh for that key, through any NAT',
        ],
        [
          "multiserver forward 2222 'ADDRESS'",
          'elsewhere, with the address that it printed; then ssh -p 2222 localhost',
        ],
        ['multiserver help listen', 'all about one command'],
      ),
    )
  for (const add of commands) add(program)
  return program
}

/** Who pipes into `head` has what they want once it has gone. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(exitCodes.ok)
  })
}
