import { signal, type ReadonlySignal } from '@preact/signals'
import { describeError } from '../../cli/demo/words.ts'

export interface ExperimentState {
  readonly state: 'idle' | 'running' | 'good' | 'bad'
  readonly steps: readonly Step[]
}

/** Something that happened, and how long after the beginning. */
export interface Step {
  readonly text: string
  readonly afterMs: number
}

export type Tell = (text: string) => void

/** Something to show: it runs once at a time and tells what happens. */
export class Experiment {
  readonly #state = signal<ExperimentState>({ state: 'idle', steps: [] })
  readonly #play: (tell: Tell) => Promise<void>

  /** @param play tells what happens; what it throws is told as well */
  constructor(play: (tell: Tell) => Promise<void>) {
    this.#play = play
  }

  get state(): ReadonlySignal<ExperimentState> {
    return this.#state
  }

  /** Never rejects. */
  async run(): Promise<void> {
    if (this.#state.value.state === 'running') return
    const begunAt = performance.now()
    this.#state.value = { state: 'running', steps: [] }
    const tell = (text: string) => {
      const step = { text, afterMs: performance.now() - begunAt }
      this.#state.value = { state: 'running', steps: [...this.#state.value.steps, step] }
    }
    let state: ExperimentState['state'] = 'good'
    try {
      await this.#play(tell)
    } catch (thrown) {
      state = 'bad'
      tell(describeError(thrown).summary)
    }
    this.#state.value = { state, steps: this.#state.value.steps }
  }
}
