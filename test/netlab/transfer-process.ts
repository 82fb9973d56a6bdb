import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TransferEvent } from '../../cli/transfer/events.ts'

export type EventOf<Name> = Extract<TransferEvent, { event: Name }>

/** `multiserver send --json` or `receive --json`, running. */
export interface TransferProcess {
  readonly pid: number
  /** What it has told so far. */
  readonly events: readonly TransferEvent[]
  /** The first event of this name that fits, of all that it tells; rejects with its stderr when it ends without one. */
  first<Name extends TransferEvent['event']>(
    name: Name,
    fits?: (event: EventOf<Name>) => boolean,
  ): Promise<EventOf<Name>>
  /** How it ended: its exit code, null when it was killed, and stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
  kill(): Promise<void>
}

/** @param child with stdout and stderr as pipes */
export function watchTransfer(child: ChildProcess): TransferProcess {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('what it says must be piped')
  const events: TransferEvent[] = []
  const listeners = new Set<() => void>()
  createInterface({ input: stdout }).on('line', (line) => {
    events.push(JSON.parse(line) as TransferEvent)
    for (const listener of listeners) listener()
  })
  let said = ''
  stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr: said }))
  return {
    pid: child.pid ?? 0,
    events,
    ended,
    first: (name, fits = () => true) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = events.find(
            (event): event is EventOf<typeof name> =>
              event.event === name && fits(event as EventOf<typeof name>),
          )
          if (found !== undefined) resolve(found)
          return found !== undefined
        }
        if (look()) return
        const listener = () => void (look() && listeners.delete(listener))
        listeners.add(listener)
        void ended.then(({ code }) =>
          reject(new Error(`it ended with ${code} before it was ${name}: ${said}`)),
        )
      }),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
