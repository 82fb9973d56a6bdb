/** How many there are of each name. A name without any takes no memory; `undefined` is nobody's, and not counted. */
export class Tally {
  readonly #counts = new Map<string, number>()

  of(name: string | undefined): number {
    return name === undefined ? 0 : (this.#counts.get(name) ?? 0)
  }

  change(name: string | undefined, by: 1 | -1): void {
    if (name === undefined) return
    const count = this.of(name) + by
    if (count === 0) this.#counts.delete(name)
    else this.#counts.set(name, count)
  }
}
