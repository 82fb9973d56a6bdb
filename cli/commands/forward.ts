import { Option, type Command } from 'commander'
import { addDialFlags, parseNumber, parseService } from '../flags.ts'
import { examples } from '../terminal.ts'
import { lazily } from '../lazily.ts'

/** `forward [HOST:]PORT ADDRESS`: the service that a peer exposes, at a port of this machine. */
export function addForward(program: Command): void {
  const command = program
    .command('forward')
    .summary('reach what a peer exposes')
    .description(
      'Listens on a port of this machine and carries what connects there to the service that the peer at ADDRESS exposes, all over one connection. That one is made again whenever it is lost.',
    )
    .argument(
      '<port>',
      'where to listen: PORT of this machine, or HOST:PORT; 0: any free port; - is stdin and stdout, once',
      (text) => (text === '-' ? text : parseService(text)),
    )
    .argument('<address>', 'what `multiserver expose` printed there')
  addDialFlags(command)
    .addOption(
      new Option('--wait <seconds>', 'how long those who connect wait while the peer is away')
        .argParser((text) => parseNumber(text, 0, 3600))
        .default(30),
    )
    .addHelpText(
      'after',
      examples(
        ["multiserver forward 2222 'rtc:hub.example.com~shs2:KEY'", 'then: ssh -p 2222 localhost'],
        ["multiserver forward 0 'ADDRESS'", 'at any free port, which is printed'],
        [
          `ssh -o ProxyCommand="multiserver forward - 'ADDRESS'" me@home`,
          'without a port: as the proxy of ssh, or in its configuration',
        ],
      ),
    )
    .action(lazily(async () => (await import('../actions/forward.ts')).forward))
}
