import { toError, type MultiserverError } from '../../core/errors.ts'
import { printable, say } from '../terminal.ts'

/** What a bridge tells: one line for each thing, keys cut short, and nothing of what it passes. */
export interface BridgeLog {
  note(line: string): void
  /** Gives the function to call once it is closed. */
  opened(
    what: string,
  ): (sentBytes: number, receivedBytes: number, error: MultiserverError | undefined) => void
  refused(error: MultiserverError, where: string): void
  trouble(error: Error): void
}

/** On stderr; who keeps the lines knows the time. */
export function createBridgeLog(write: (line: string) => void = say): BridgeLog {
  let number = 0
  const note = (line: string) => write(printable(line))
  return {
    note,
    opened(what) {
      number += 1
      const name = `#${number}`
      const openedAtMs = performance.now()
      note(`${name} open: ${what}`)
      return (sentBytes, receivedBytes, error) => {
        const seconds = ((performance.now() - openedAtMs) / 1000).toFixed(1)
        const how = error === undefined ? 'ended' : `broke, ${error.code}: ${error.message}`
        note(`${name} ${how}; ${sentBytes} bytes there, ${receivedBytes} back, ${seconds} s`)
      }
    },
    refused: ({ code, message }, where) => note(`refused at ${where}: ${code}: ${message}`),
    trouble(thrown) {
      const { code, message } = toError(thrown, 'CONNECTION_LOST')
      note(`${code}: ${message}`)
    },
  }
}
