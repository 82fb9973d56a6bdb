import { batch, signal } from '@preact/signals'
import { linkOf, TalkMeter } from '../../cli/demo/talk-meter.ts'
import { linkName } from '../../cli/demo/words.ts'
import type { Link, Over } from '../../cli/demo/links.ts'
import type { Talk } from '../../cli/demo/talk.ts'
import type { StageTimes } from '../../core/stage-times.ts'
import type { Path } from '../../core/types.ts'
import type { RtcStats } from '../../plugs/rtc/index.ts'

/** An open connection to a peer, watched. */
export class LiveTalk {
  /** Different for each. */
  readonly id = crypto.randomUUID()
  readonly talk: Talk
  readonly over: Over
  /** How long each stage of the dial took; empty for one that was accepted. */
  readonly stageMs: StageTimes
  readonly path = signal<Path | undefined>(undefined)
  /** What its paths took to open, where it is rtc. */
  readonly pathMs = signal<RtcStats['pathMs']>({})
  /** There and back, in milliseconds. */
  readonly roundTripMs = signal<number | undefined>(undefined)
  /** Bytes a second in both directions, a sample each second, the newest last. */
  readonly rates = signal<readonly number[]>([])
  readonly #meter = new TalkMeter()

  constructor(talk: Talk) {
    const { connection } = talk
    this.talk = talk
    this.over = linkName(connection)
    this.stageMs = (connection.stats()['stageMs'] as StageTimes | undefined) ?? {}
    this.path.value = connection.path
    this.#meter.read(talk)
  }

  get rate(): number {
    return this.rates.value.at(-1) ?? 0
  }

  get link(): Link {
    return linkOf(this.talk, this.rate)
  }

  /** Once a second. */
  sample(): void {
    const { connection } = this.talk
    const { rttMs, pathMs } = connection.stats() as Partial<RtcStats>
    const measured = typeof rttMs === 'number' ? rttMs : this.talk.roundTripMs
    if (typeof rttMs !== 'number') this.talk.ping()
    batch(() => {
      // A bridge in between does not tell of changes.
      this.path.value = connection.path
      this.pathMs.value = pathMs ?? {}
      this.rates.value = [...this.rates.value, this.#meter.read(this.talk)].slice(-mostSamples)
      this.roundTripMs.value = measured
    })
  }
}

/** A minute. */
export const mostSamples = 60
