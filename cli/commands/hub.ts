import { helpText } from '../../signal-server/help.ts'
import { runHub } from '../../signal-server/program.ts'
import type { Command } from 'commander'

/** `hub`: the program `multiserver-hub`, which reads its own options; they are in one table there. */
export function addHub(program: Command): void {
  const command = program
    .command('hub')
    .summary('run a hub, which introduces peers')
    .helpOption(false)
    .allowUnknownOption()
    .argument('[options...]')
    .usage('[options]')
    .action((args: string[]) => runHub('multiserver hub', args, process.env))
  command.helpInformation = () => `${helpText('multiserver hub', process.stdout.columns)}\n`
}
