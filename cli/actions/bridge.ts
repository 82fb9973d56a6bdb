import { loadOrCreateKeys } from '../../plugs/keys.ts'
import { loadBridgeConfig } from '../bridge/config.ts'
import { BridgeDaemon } from '../bridge/daemon.ts'
import { createBridgeLog } from '../bridge/log.ts'
import { describeFailure } from '../failures.ts'
import { onInterruption, untilInterrupted } from '../interruption.ts'
import { print, say } from '../terminal.ts'
import { shortKey } from '../../core/bytes.ts'

/** Until it is told to end. */
export async function bridge({
  config: file,
  check = false,
}: {
  config: string
  check?: boolean
}): Promise<void> {
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
