import { InvalidArgumentError, Option, type Command } from 'commander'
import { addListenFlags } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'

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
    .action(lazily(async () => (await import('../actions/receive.ts')).receive))
}

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
