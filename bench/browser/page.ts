import type { Contestant, Link } from '../contestant.ts'
import { perform, type Order } from '../roles.ts'

/** What the process of a page calls in it. */
export interface PageEnd {
  serve(introducer: string): Promise<string>
  perform(order: Order): Promise<number[]>
  /** Brings what the other end has sent. */
  hear(message: unknown): void
}

declare global {
  interface Window {
    bench: PageEnd
    /** Bound by the process of the page: to the other end. */
    tell(message: unknown): Promise<void>
  }
}

/** Makes a contestant callable from the process of the page. */
export function present(contestant: Contestant): void {
  const listeners: ((message: unknown) => void)[] = []
  const link: Link = {
    send: (message) => void window.tell(message),
    onMessage: (listener) => void listeners.push(listener),
  }
  window.bench = {
    serve: async (introducer) => (await contestant.serve(link, introducer)).address,
    perform: (order) => perform(contestant, order, link),
    hear(message) {
      for (const listener of listeners) listener(message)
    },
  }
}
