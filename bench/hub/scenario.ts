import type { Crew } from './crew.ts'
import type { HubChanges, HubProcess } from './hub-process.ts'
import type { Row } from './figures.ts'

/** What a run is given. Whatever it starts besides ends with it. */
export interface Stage {
  hub: HubProcess
  crew: Crew
  peers: number
  seconds: number
  /** A hub in place of the one before, on its port; only where the hub is ours. */
  startAgain: () => Promise<HubProcess>
}

/** For scenarios that want many peers there, and not to see how long a hub takes to let them in. */
export const noRushLimits = { registrationsPerSecond: 1e6, registrationsBurst: 1e6 }

export interface Scenario {
  /** For `--help`: what is done, and what is looked at. */
  about: string
  /** How many, and how long, when nothing is said. */
  peers: number
  seconds: number
  /** Client processes. */
  workers: number
  /** In place of the hub's defaults, beside its limits per address, which are lifted for loopback. */
  limits?: HubChanges | undefined
  /** Whether it can only be done to a hub that may be killed or asked for its memory. */
  needsOwnHub: boolean
  run(stage: Stage): Promise<Row[]>
}
