import type { Command } from 'commander'

/** `hub`: the program `multiserver-hub`, which reads its own options; they are in one table there. */
export function addHub(program: Command): void {
  program
    .command('hub')
    .summary('run a hub, which introduces peers')
    // Its own, with all that can be set.
    .helpOption(false)
    .allowUnknownOption()
    .argument('[options...]')
    .usage('[options]')
    .addHelpText('after', '\n`multiserver hub --help` shows all that can be set.\n')
    .action(async (args: string[]) => {
      // Loaded only here: nothing else needs a web server.
      const { runHub } = await import('../../signal-server/program.ts')
      await runHub('multiserver hub', args, process.env)
    })
}
