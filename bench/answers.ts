/** What has come back from the far side, for libraries that tell by events. */
export class Answers {
  #waiting: (() => void) | undefined
  #count = 0

  arrived(): void {
    if (this.#waiting === undefined) {
      this.#count += 1
      return
    }
    const resolve = this.#waiting
    this.#waiting = undefined
    resolve()
  }

  async next(): Promise<void> {
    if (this.#count > 0) this.#count -= 1
    else await new Promise<void>((resolve) => (this.#waiting = resolve))
  }
}
