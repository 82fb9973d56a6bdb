import { askEcho, askSink } from '../contestant.ts'

/**
 * The serving side of what carries messages and can't be half closed: one byte is the question, and a later one of a sink says
 * that this was all.
 */
export function answerMessages(
  send: (message: Uint8Array<ArrayBuffer>) => void,
): (message: Uint8Array<ArrayBuffer>) => void {
  let asked: number | undefined
  return (message) => {
    const isFirst = asked === undefined
    asked ??= message[0]
    if (asked === askEcho) send(message)
    else if (isFirst !== (asked === askSink) && message.length === 1) send(Uint8Array.of(1))
  }
}

/** What ends the bytes of a sink there. */
export const endMark = Uint8Array.of(2)
