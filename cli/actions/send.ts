import { CliError } from '../failures.ts'
import { onInterruption } from '../interruption.ts'
import { makeDialer } from '../peer.ts'
import { paint, printable, say } from '../terminal.ts'
import { asCliError, checkComplete } from '../transfer/failure.ts'
import { createJsonReporter, createTextReporter } from '../transfer/reporter.ts'
import { sendFiles } from '../transfer/sending.ts'
import { findSources, type LeftOut } from '../transfer/source-files.ts'
import { countOf } from '../words.ts'
import type { DialFlags } from '../flags.ts'

interface SendFlags extends DialFlags {
  readonly json?: boolean | undefined
  /** Seconds. */
  readonly retry: number
}

/** `args`: the files, and the address behind them. */
export async function send(args: readonly string[], flags: SendFlags): Promise<void> {
  const [paths, address] = [args.slice(0, -1), args.at(-1) ?? '']
  if (paths.length === 0) {
    throw new CliError('usage', 'there is no file, or no address', "multiserver send FILE 'ADDRESS'")
  }
  const signal = onInterruption()
  const { report, makeRoom } = flags.json === true ? createJsonReporter() : createTextReporter()
  try {
    const leftOut: Record<LeftOut, string[]> = { link: [], special: [] }
    const sources = await findSources(paths, (path, what) => leftOut[what].push(path))
    sayLeftOut(leftOut.link, 'link', 'a link may lead out of the folder')
    sayLeftOut(leftOut.special, 'special file', 'only plain files are sent')
    const { ms } = await makeDialer(flags)
    const timeoutMs = flags.timeout === undefined ? undefined : flags.timeout * 1000
    // Files go to who proves to be the one in the address, and to nobody else.
    const dial = () => ms.client(address, { timeoutMs, signal, minStrength: 1 })
    checkComplete(await sendFiles({ sources, dial, retryMs: flags.retry * 1000, signal, report }))
  } catch (thrown) {
    throw asCliError(thrown)
  } finally {
    makeRoom()
  }
}

/** One line, however many there are. */
function sayLeftOut([first, ...others]: readonly string[], what: string, why: string): void {
  if (first === undefined) return
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  say(
    `${paint('yellow', 'Left out')}  ${countOf(others.length + 1, what)}, ${printable(first)}${more}: ${why}`,
  )
}
