import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order, Report, TaskName, Tasks } from './worker.ts'

type OptionsOf<N extends TaskName> = Parameters<Tasks[N]>[1]
type ResultOf<N extends TaskName> = Awaited<ReturnType<Tasks[N]>>

/** Client processes that do what they are asked, until `end`. */
export class Crew {
  readonly workers: readonly Worker[]

  constructor(size: number) {
    this.workers = Array.from({ length: size }, () => new Worker())
  }

  /** The same of each, with options by its index; resolves when all have done it. */
  askAll<N extends TaskName>(task: N, options: (index: number) => OptionsOf<N>): Promise<ResultOf<N>[]> {
    return Promise.all(this.workers.map((worker, index) => worker.ask(task, options(index))))
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.end()))
  }
}

/** A process for those who measure, beside the ones that make the load; it ends with `run`. */
export async function withWorker<T>(run: (worker: Worker) => Promise<T>): Promise<T> {
  const worker = new Worker()
  try {
    return await run(worker)
  } finally {
    await worker.end()
  }
}

export class Worker {
  readonly #child: ChildProcess
  readonly #asked = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #last = 0

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)))
    this.#child.on('message', (report: Report) => {
      const asked = this.#asked.get(report.number)
      this.#asked.delete(report.number)
      if ('error' in report) asked?.reject(new Error(report.error))
      else asked?.resolve(report.result)
    })
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`a worker ended: ${signal ?? code}`))
    })
  }

  ask<N extends TaskName>(task: N, options: OptionsOf<N>): Promise<ResultOf<N>> {
    const order: Order = { number: (this.#last += 1), task, options }
    return new Promise((resolve, reject) => {
      this.#asked.set(order.number, { resolve: resolve as (result: unknown) => void, reject })
      this.#child.send(order)
    })
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}
