import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { DrivenPeer, Outcome } from './harness/peer.mjs'

export type Call = (name: string, args: readonly unknown[]) => Promise<Outcome>

/** What a driven peer failed with: the codes, for the error itself stays where it was thrown. */
export class DrivenError extends Error {
  readonly code: string
  /** Of a dial that failed: the code of each attempt. */
  readonly attempts: readonly string[]

  constructor({ code, message, attempts }: Extract<Outcome, { failure: unknown }>['failure']) {
    super(`${code}: ${message}`)
    this.code = code
    this.attempts = attempts
  }
}

export interface DrivenProcess extends DrivenPeer {
  stop(): Promise<void>
  /** Sends its process a signal: SIGSTOP, SIGCONT, SIGKILL. */
  kill(signal: NodeJS.Signals): void
}

/** The peer of a process that listens to its parent. What a peer that died was asked fails with the code `none`. */
export function driveProcess(child: ChildProcess): DrivenProcess {
  const exited = once(child, 'exit')
  const own: Pick<DrivenProcess, 'stop' | 'kill'> = {
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
    kill: (signal) => void child.kill(signal),
  }
  return drive(callsTo(child), own) as DrivenProcess
}

/** Whatever is not `own` is asked of the far side. */
export function drive(call: Call, own: object = {}): DrivenPeer {
  return new Proxy(own as DrivenPeer, {
    get: (target, name, receiver) => {
      // Not a promise.
      if (name === 'then') return undefined
      if (name in own) return Reflect.get(target, name, receiver) as unknown
      return async (...args: readonly unknown[]) => {
        const outcome = await call(String(name), args)
        if ('failure' in outcome) throw new DrivenError(outcome.failure)
        return outcome.value
      }
    },
  })
}

function callsTo(child: ChildProcess): Call {
  const waiting = new Map<number, (outcome: Outcome) => void>()
  let calls = 0
  child.on('message', ({ id, outcome }: { id: number; outcome: Outcome }) => {
    waiting.get(id)?.(outcome)
    waiting.delete(id)
  })
  let ended = 'the process is ending'
  child.once('exit', (code, signal) => {
    ended = `the process has ended (${signal ?? code})`
    for (const settle of waiting.values()) settle(dead())
    waiting.clear()
  })
  const dead = (): Outcome => ({ failure: { code: 'none', message: ended, attempts: [] } })
  return (name, args) =>
    new Promise((resolve) => {
      if (!child.connected) return resolve(dead())
      const id = calls++
      waiting.set(id, resolve)
      child.send({ id, name, args })
    })
}
