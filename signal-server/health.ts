/** What a load balancer or a supervisor is told about a hub. */
export interface HealthReport {
  /** Whether new peers are to be sent here. */
  ready: boolean
  /** What does not work although the hub does, by name; absent when all is well. */
  degraded?: string[]
}

/** Whether a hub is ready, and which of its parts are not well. */
export class Health {
  readonly #unwell = new Set<string>()
  #isLeaving = false

  get isReady(): boolean {
    return !this.#isLeaving
  }

  report(): HealthReport {
    const ready = this.isReady
    return this.#unwell.size === 0 ? { ready } : { ready, degraded: [...this.#unwell].toSorted() }
  }

  /** No new peers from now on: the hub is about to close. There is no way back. */
  leave(): void {
    this.#isLeaving = true
  }

  /** A part without which the hub goes on serving, such as what connects it with other hubs. */
  note(part: string, isWell: boolean): void {
    if (isWell) this.#unwell.delete(part)
    else this.#unwell.add(part)
  }
}
