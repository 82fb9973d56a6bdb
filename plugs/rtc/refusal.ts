import { MultiserverError } from '../../core/errors.ts'
import type { IntroductionChannel } from './introduction-channel.ts'
import type { Refusal, RefusalCode, Signal } from './signal-payload.ts'
import type { Signals } from './signals.ts'

/** Says so instead of an answer, and ends the introduction. */
export async function refuse(
  channel: IntroductionChannel,
  signals: Pick<Signals<Refusal, Signal>, 'seal'>,
  code: RefusalCode,
): Promise<void> {
  channel.sendSignal(await signals.seal({ kind: 'refused', code }))
  channel.close(code)
}

/** What a client makes of it. */
export function refusedError(code: RefusalCode, resume: boolean): MultiserverError {
  if (code === 'NO_SESSION' && resume) {
    return new MultiserverError('PATH_LOST', 'the path was lost, and the peer has given the connection up')
  }
  switch (code) {
    case 'BUSY':
      return new MultiserverError('BUSY')
    case 'NO_STACK':
      return new MultiserverError('CONNECT_FAILED', 'the peer has no stack with these transforms')
    default:
      return new MultiserverError('CONNECT_FAILED', `the peer refused the introduction: ${code}`)
  }
}
