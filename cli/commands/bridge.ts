import { loadOrCreateKeys } from '../../plugs/keys.ts'
import { loadBridgeConfig } from '../bridge/config.ts'
import { BridgeDaemon } from '../bridge/daemon.ts'
import { createBridgeLog } from '../bridge/log.ts'
import { describeFailure } from '../failures.ts'
import { onInterruption, untilInterrupted } from '../interruption.ts'
import { examples, print, say } from '../terminal.ts'
import { shortKey } from '../../core/bytes.ts'
import type { Command } from 'commander'

/** `bridge --config FILE`: joins what can not meet, until it is told to end. */
export function addBridge(program: Command): void {
  program
    .command('bridge')
    .summary('join peers that can not meet')
    .description(
      'Passes bytes, which it can not read, between peers that have no way to each other: tunnels lead those who come through a hub to servers that have nothing but a port, and forwards lead old software to peers behind a hub. FILE says which, and is read again at SIGHUP. The addresses that others use are printed.',
    )
    .requiredOption('--config <file>', 'what to do, as JSON: docs/bridge.md has it all')
    .option('--check', 'read FILE, say what is wrong with it, and do nothing else')
    .addHelpText(
      'after',
      examples(
        ['multiserver bridge --config bridge.json', 'until Ctrl-C'],
        ['multiserver bridge --config bridge.json --check', 'before it is restarted'],
      ),
    )
    .action(bridge)
}

async function bridge({ config: file, check = false }: { config: string; check?: boolean }): Promise<void> {
  const config = await loadBridgeConfig(file)
  if (check) return say(`${file} is right.`)
  const signal = onInterruption(['SIGINT', 'SIGTERM'])
  const keys = await loadOrCreateKeys(config.keyFile)
  const log = createBridgeLog()
  const daemon = new BridgeDaemon(config, { keys, log, onAddress: print })
  const starting = daemon.apply(config)
  let applying: Promise<void> = starting.catch(() => undefined)
  const reload = () => {
    applying = applying
      .then(() => loadBridgeConfig(file).then((next) => daemon.apply(next)))
      .then(
        () => log.note(`${file} was read again`),
        (thrown: unknown) => describeFailure(thrown).forEach(say),
      )
  }
  process.on('SIGHUP', reload)
  try {
    log.note(`the key of this bridge is ${shortKey(keys.publicKey)}`)
    await starting
    await untilInterrupted(signal)
    log.note('stopping')
  } finally {
    process.off('SIGHUP', reload)
    await applying
    await daemon.close()
  }
}
