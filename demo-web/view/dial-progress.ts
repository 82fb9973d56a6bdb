import type { DialStage } from '../../core/types.ts'

/** Where a dial stands, in words. */
export const stageWords: Readonly<Record<DialStage, string>> = {
  hub: 'Asking the hub…',
  introduced: 'The hub has introduced us…',
  answered: 'The peer has answered…',
  path: 'A path is open…',
  transport: 'Connected; proving keys…',
  secured: 'Both keys are proven.',
}
