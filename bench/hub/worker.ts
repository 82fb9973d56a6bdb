import { comeAndGo, leave, register } from './tasks/register.ts'
import { introduce } from './tasks/introduce.ts'
import { flood } from './tasks/flood.ts'
import { awake, feed, freeze, thaw } from './tasks/freeze.ts'
import { fuzzTask } from './tasks/fuzz.ts'
import { holdHalfOpen } from './tasks/half-open.ts'
import { keepRegistered, registrations, release } from './tasks/keep.ts'
import { fill, provoke, route } from './tasks/rival.ts'
import { closeRtcPair, openRtcPair } from './tasks/rtc-pair.ts'
import { Workplace } from './workplace.ts'

/** Clients in a process of their own, so that they share no event loop with the hub or with those who measure. */
const tasks = {
  register,
  comeAndGo,
  leave,
  introduce,
  flood,
  freeze,
  feed,
  awake,
  thaw,
  holdHalfOpen,
  keepRegistered,
  registrations,
  release,
  openRtcPair,
  closeRtcPair,
  fill,
  route,
  provoke,
  fuzz: fuzzTask,
}

export type Tasks = typeof tasks
export type TaskName = keyof Tasks

export interface Order {
  number: number
  task: TaskName
  options: unknown
}

export type Report = { number: number } & ({ result: unknown } | { error: string })

process.on('disconnect', () => process.exit())

const place = new Workplace()

process.on('message', ({ number, task, options }: Order) => {
  // The parent's `ask` has the types of both ends; between processes there are none.
  const run = tasks[task] as (place: Workplace, options: unknown) => Promise<unknown>
  run(place, options).then(
    (result) => report({ number, result }),
    (error: unknown) =>
      report({ number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})

function report(message: Report): void {
  process.send?.(message)
}
