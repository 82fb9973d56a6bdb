/**
 * What a message of a handshake does, in order (Noise revision 34, sections 5.3 and 9.2). A modifier that brings
 * tokens of its own adds them here, a case for each in `noise.ts`, and its part of the protocol's name.
 */
export type NoiseToken = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk'

export interface NoisePattern {
  /** Base name and modifiers, for example `XKpsk3`. */
  readonly name: string
  /** Whose static key the other side knows beforehand: the pre-messages, which are never more than `s` here. */
  readonly known: readonly NoiseRole[]
  /** Messages in turn, the initiator's first. */
  readonly messages: readonly (readonly NoiseToken[])[]
}

export type NoiseRole = 'initiator' | 'responder'

/** Section 7.5. */
export const noisePatterns = {
  NN: { name: 'NN', known: [], messages: [['e'], ['e', 'ee']] },
  NK: {
    name: 'NK',
    known: ['responder'],
    messages: [
      ['e', 'es'],
      ['e', 'ee'],
    ],
  },
  XK: {
    name: 'XK',
    known: ['responder'],
    messages: [
      ['e', 'es'],
      ['e', 'ee'],
      ['s', 'se'],
    ],
  },
  IK: {
    name: 'IK',
    known: ['responder'],
    messages: [
      ['e', 'es', 's', 'ss'],
      ['e', 'ee', 'se'],
    ],
  },
  XX: { name: 'XX', known: [], messages: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']] },
} as const satisfies Record<string, NoisePattern>

/** Section 9.4: `psk0` begins the first message with the token, `psk1`, `psk2`, … end that message with it. */
export function withPsk(pattern: NoisePattern, position: number): NoisePattern {
  const place = Math.max(0, position - 1)
  const separator = /psk\d$/.test(pattern.name) ? '+' : ''
  return {
    name: `${pattern.name}${separator}psk${position}`,
    known: pattern.known,
    messages: pattern.messages.map((tokens, index): readonly NoiseToken[] => {
      if (index !== place) return tokens
      return position === 0 ? ['psk', ...tokens] : [...tokens, 'psk']
    }),
  }
}
