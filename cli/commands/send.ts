import { Option, type Command } from 'commander'
import { addDialFlags, parseNumber } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'

/** `send FILE… ADDRESS`: files to who runs `receive`. */
export function addSend(program: Command): void {
  const command = program
    .command('send')
    .summary('send files to who receives them')
    .description(
      'Sends files, and folders with what is in them except links, to a peer that runs `multiserver receive`, which prints its ADDRESS. When the connection breaks it goes on by itself where it was, and when this command is run again too. Each file is checked by its SHA-256.',
    )
    .usage('[options] <file...> <address>')
    .argument('<file...>', 'the files and folders, and at the end the address, between quotes')
    // As who knows scp and rsync writes it. Folders are sent in any case.
    .addOption(new Option('-r, --recursive').hideHelp())
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
        ["multiserver send photos notes.txt 'ADDRESS'", 'a folder and a file'],
        ["multiserver send --json --retry 0 backup.tar 'ADDRESS' | jq -r .event", 'in a script'],
      ),
    )
    .action(lazily(async () => (await import('../actions/send.ts')).send))
}
