/** Counts what is under way, in all and per source, so that neither one nor many can pile it up. */
export class CountGate {
  readonly #most: number
  readonly #mostPerSource: number
  readonly #bySource = new Map<string, number>()
  #count = 0

  constructor(most: number, mostPerSource: number) {
    this.#most = most
    this.#mostPerSource = mostPerSource
  }

  /** Whether one more may begin; each true answer is owed a `leave`. Without a source it only counts in all. */
  enter(source: string | undefined): boolean {
    const fromSource = source === undefined ? 0 : (this.#bySource.get(source) ?? 0)
    if (this.#count >= this.#most || fromSource >= this.#mostPerSource) return false
    this.#count += 1
    if (source !== undefined) this.#bySource.set(source, fromSource + 1)
    return true
  }

  leave(source: string | undefined): void {
    this.#count -= 1
    if (source === undefined) return
    const left = (this.#bySource.get(source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, left)
  }
}
