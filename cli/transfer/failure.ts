import { CliError, type ExitName } from '../failures.ts'
import type { Summary } from './incoming.ts'
import { TransferError, type TransferCode } from './transfer-error.ts'

/** `thrown` as the command line has it, with what to do about it. */
export function asCliError(thrown: unknown): unknown {
  if (!(thrown instanceof TransferError)) return thrown
  const { code, message }: TransferError = thrown
  const { exit, remedy } = outcomes[code]
  return new CliError(exit, `${code}: ${message}`, remedy, thrown)
}

/** @throws CliError when not all of the files got through */
export function checkComplete({ done, skipped }: Summary): void {
  if (skipped === 0) return
  throw new CliError(
    'failed',
    `${skipped} of ${done + skipped} files did not get through`,
    'The lines above say why.',
  )
}

const outcomes: Readonly<Record<TransferCode, { readonly exit: ExitName; readonly remedy: string }>> = {
  BLOCKED: { exit: 'failed', remedy: 'Move away what is in the way, or receive into another folder.' },
  BUSY: { exit: 'unreachable', remedy: 'Run it again when the transfer that is under way there is over.' },
  CHANGED: { exit: 'failed', remedy: 'Run it again once nobody writes to the file.' },
  DAMAGED: { exit: 'broken', remedy: 'Run it again.' },
  DECLINED: { exit: 'refused', remedy: 'Ask them.' },
  EXISTS: { exit: 'failed', remedy: 'The receiver can say --rename or --overwrite.' },
  FAILED: {
    exit: 'failed',
    remedy: 'See that the folder of the receiver can be written to, and run it again.',
  },
  NO_FILES: { exit: 'usage', remedy: 'See `multiserver send --help`.' },
  NO_SPACE: {
    exit: 'refused',
    remedy: 'Make room on the disk of the receiver, and run it again: it goes on from there.',
  },
  TOO_LARGE: { exit: 'refused', remedy: 'The receiver can say more with --max-size.' },
  TOO_MANY: { exit: 'refused', remedy: 'Pack them: tar -c FOLDER | multiserver connect ADDRESS' },
  UNREADABLE: { exit: 'failed', remedy: 'See that you may read it.' },
  VERSION: { exit: 'refused', remedy: 'Update the older of both programs.' },
}
