import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { limits } from '../core/limits.ts'

export type AllAddresses = LookupOptions & { readonly all: true }

/** How the system is asked: `lookup` of node:dns. */
export type AskSystem = (
  name: string,
  options: AllAddresses,
  answer: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

const { patienceMs, remembered: mostRemembered } = limits.names

/**
 * Names as the system resolves them, asked once at a time for each. Node asks in one of four threads that files and cryptography
 * need as well, and a question can't be taken back: in a dead network, where each takes glibc up to 20 s, who dials
 * again and again would fill them all. Where an answer takes long, the last one has to do.
 */
export class Names {
  readonly #ask: AskSystem
  readonly #asked = new Map<string, Promise<LookupAddress[]>>()
  /** The one that was answered last is the last. */
  readonly #known = new Map<string, LookupAddress[]>()

  constructor(ask: AskSystem = lookup) {
    this.#ask = ask
  }

  /** Rejects as the system does. */
  async resolve(name: string, options: AllAddresses): Promise<LookupAddress[]> {
    const question = `${name} ${options.family ?? 0} ${options.hints ?? 0}`
    const answer = this.#asked.get(question) ?? this.#askAnew(question, name, options)
    const known = this.#known.get(question)
    return known === undefined ? answer : Promise.race([answer, after(patienceMs, known, answer)])
  }

  #askAnew(question: string, name: string, options: AllAddresses): Promise<LookupAddress[]> {
    const answer = new Promise<LookupAddress[]>((resolve, reject) =>
      this.#ask(name, options, (error, addresses) => (error === null ? resolve(addresses) : reject(error))),
    )
    this.#asked.set(question, answer)
    answer.then(
      (addresses) => this.#remember(question, addresses),
      () => this.#asked.delete(question),
    )
    return answer
  }

  #remember(question: string, addresses: LookupAddress[]): void {
    this.#asked.delete(question)
    this.#known.delete(question)
    this.#known.set(question, addresses)
    const [oldest] = this.#known.keys()
    if (this.#known.size > mostRemembered && oldest !== undefined) this.#known.delete(oldest)
  }
}

/** `value` after `ms`; leaves no timer once `sooner` has settled. */
function after<T>(ms: number, value: T, sooner: Promise<unknown>): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(value), ms)
    const stop = () => clearTimeout(timer)
    sooner.then(stop, stop)
  })
}
