import { setTimeout } from 'node:timers/promises'
import { helpText } from './help.ts'
import { type Environment, readCommand, UsageError } from './options.ts'
import { type RunningHub, startHub } from './start.ts'
import { version } from './version.ts'

/** Beyond this the process ends although peers or sockets are left. */
const endWithinMs = 30_000

/** Exit codes: what was set cannot be meant, as by convention; it could not start, or not end in time. */
const badUsage = 2
const failed = 1
/** By convention, of a process that a signal ended. */
const killedBy = { SIGTERM: 143, SIGINT: 130 }

type EndSignal = keyof typeof killedBy

/**
 * The program: a hub as command line and environment say, until SIGTERM or SIGINT. `command` is how it was called.
 * It ends the process itself once a signal came; what it printed and the exit code say why it did not start.
 */
export async function runHub(
  command: string,
  args: readonly string[],
  environment: Environment,
): Promise<void> {
  try {
    const { ask, options, drainDelayMs, warnings } = readCommand(args, environment)
    for (const warning of warnings) console.error(warning)
    if (ask === 'help') return console.log(helpText(command, process.stdout.columns))
    if (ask === 'version') return console.log(version)
    // One that comes while it starts must not be lost.
    const signalled = firstSignal()
    const hub = await startHub(options)
    const signal = await signalled
    endAtSecondSignal()
    await end(hub, signal, drainDelayMs)
  } catch (thrown) {
    console.error(thrown instanceof Error ? thrown.message : thrown)
    process.exitCode = thrown instanceof UsageError ? badUsage : failed
  }
}

/** Load balancers first, then the peers, then the process. */
async function end(hub: RunningHub, signal: EndSignal, drainDelayMs: number): Promise<never> {
  globalThis.setTimeout(() => process.exit(failed), endWithinMs).unref()
  hub.app.log.info({ signal, drainDelayMs }, 'the hub is about to end')
  hub.leave()
  await setTimeout(drainDelayMs)
  await hub.close()
  process.exit()
}

function firstSignal(): Promise<EndSignal> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

/** Who asks twice does not want to wait. */
function endAtSecondSignal(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.removeAllListeners(signal)
    process.once(signal, () => process.exit(killedBy[signal]))
  }
}
