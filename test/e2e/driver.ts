import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright'
import type { DrivenPeer, Outcome } from './harness/peer.mjs'

type Call = (name: string, args: readonly unknown[]) => Promise<Outcome>

/** What a driven peer failed with: the codes, for the error itself stays where it was thrown. */
class DrivenError extends Error {
  readonly code: string
  /** Of a dial that failed: the code of each attempt. */
  readonly attempts: readonly string[]

  constructor({ code, message, attempts }: Extract<Outcome, { failure: unknown }>['failure']) {
    super(`${code}: ${message}`)
    this.code = code
    this.attempts = attempts
  }
}

/** The peer of a page. */
export function drivePage(page: Page): DrivenPeer {
  return drive((name, args) =>
    page.evaluate(([which, given]) => window.callPeer(which, given), [name, args] as const),
  )
}

export interface Desktop extends DrivenPeer {
  stop(): Promise<void>
  /** Sends its process a signal: SIGSTOP, SIGCONT, SIGKILL. */
  kill(signal: NodeJS.Signals): void
}

/** A peer in a process of its own that nobody can dial but through the hub, or one that listens for WebSockets. */
export function startDesktop(where: { readonly hub: string; readonly relayed?: boolean } | 'ws'): Desktop {
  const args = where === 'ws' ? ['ws'] : ['rtc', where.hub, where.relayed === true ? 'relayed' : 'direct']
  const script = fileURLToPath(new URL('./harness/desktop.mjs', import.meta.url))
  const child = fork(script, args, { execArgv: ['--expose-gc'] })
  const peer = drive(callsTo(child))
  const exited = once(child, 'exit')
  return new Proxy(peer as Desktop, {
    get(target, name, receiver) {
      if (name === 'kill') return (signal: NodeJS.Signals) => child.kill(signal)
      if (name !== 'stop') return Reflect.get(target, name, receiver) as unknown
      return async () => {
        if (child.connected) child.disconnect()
        await exited
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
  return (name, args) =>
    new Promise((resolve) => {
      const id = calls++
      waiting.set(id, resolve)
      child.send({ id, name, args })
    })
}

function drive(call: Call): DrivenPeer {
  return new Proxy({} as DrivenPeer, {
    get: (_target, name) => {
      // Not a promise.
      if (name === 'then') return undefined
      return async (...args: readonly unknown[]) => {
        const outcome = await call(String(name), args)
        if ('failure' in outcome) throw new DrivenError(outcome.failure)
        return outcome.value
      }
    },
  })
}
