import type { DialStage } from '../../core/types.ts'

/** Where a dial stands, in words. */
export const stageWords: Readonly<Record<DialStage | 'begun', string>> = {
  begun: 'Connecting…',
  hub: 'Asking the hub…',
  introduced: 'The hub has introduced us…',
  answered: 'The peer has answered…',
  relay: 'The relay lets us through…',
  ice: 'There is a way, trying it…',
  dtls: 'WebRTC is open…',
  path: 'A path is open…',
  transport: 'Connected; proving keys…',
  secured: 'Both keys are proven.',
}

/** What was waited for in each stage. */
export const stageNames: Readonly<Record<DialStage, string>> = {
  hub: 'the hub says welcome',
  introduced: 'it has asked the peer',
  answered: 'the peer answers, sealed',
  relay: 'the relay opens a circuit',
  ice: 'ICE finds a way',
  dtls: 'DTLS and a data channel stand',
  path: 'a path opens',
  transport: 'the stream stands',
  secured: 'both keys are proven',
}
