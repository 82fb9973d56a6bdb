import { Option, type Command } from 'commander'
import { addJsonFlag, hubOption, parseNumber } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'

/** `doctor`: says in words what this network allows. */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('say what this network allows')
    .description(
      'Goes to a hub as any peer does, and asks its STUN and TURN servers what this network looks like from outside: whether direct connections will open, and what can be done where not.',
    )
    .addOption(hubOption('the hub to go to'))
    .option('--stun <url...>', 'STUN servers to ask beside those that the hub names')
    .addOption(
      new Option('--timeout <seconds>', 'what is not known by then is unknown')
        .argParser((text) => parseNumber(text, 1, 3600))
        .default(20),
    )
    .addHelpText(
      'after',
      examples(
        ['multiserver doctor --hub hub.example.com', 'for people'],
        ['multiserver doctor --hub hub.example.com --json', 'for a script: one line, a list of findings'],
      ),
    )
    .action(lazily(async () => (await import('../actions/doctor.ts')).examine))
  addJsonFlag(command)
}
