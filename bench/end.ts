import type { Contestant, Link, Serving } from './contestant.ts'
import { perform, type Order } from './roles.ts'

/** A contestant where it runs: in this process, or in a page of a browser that belongs to this process. */
export interface End {
  /** `introducer` is there already; without one the contestant's own is started. */
  serve(link: Link, introducer: string): Promise<Serving>
  /** Gives the figures of the role in their order. */
  perform(order: Order, link: Link): Promise<number[]>
}

export function here(contestant: Contestant): End {
  return {
    serve: async (link, introducer) =>
      contestant.serve(link, introducer === '' ? ((await contestant.introduce?.()) ?? '') : introducer),
    perform: (order, link) => perform(contestant, order, link),
  }
}
