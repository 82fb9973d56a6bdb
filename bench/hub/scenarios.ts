import type { Scenario } from './scenario.ts'
import { beside } from './scenarios/beside.ts'
import { cluster } from './scenarios/cluster.ts'
import { floods } from './scenarios/floods.ts'
import { frozen } from './scenarios/frozen.ts'
import { fuzz } from './scenarios/fuzz.ts'
import { growth } from './scenarios/growth.ts'
import { halfOpen } from './scenarios/half-open.ts'
import { idle } from './scenarios/idle.ts'
import { introductions } from './scenarios/introductions.ts'
import { restart, storm } from './scenarios/storm.ts'
import { waves } from './scenarios/waves.ts'

/** By the name that they are asked for with. */
export const scenarios: Record<string, Scenario> = {
  idle,
  introductions,
  growth,
  cluster,
  floods,
  storm,
  restart,
  frozen,
  'half-open': halfOpen,
  waves,
  fuzz,
  beside,
}
