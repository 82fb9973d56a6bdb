/**
 * What a message of a handshake does, in order (Noise revision 34, sections 5.3 and 9.2). A modifier that brings
 * tokens of its own adds them here, a case for each in `noise.ts`, and its part of the protocol's name.
 */
export type NoiseToken = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk' | 'e1' | 'ekem1'

export interface NoisePattern {
  /** Base name and modifiers, for example `XKpsk3`. */
  readonly name: string
  /** What agrees on keys, as it stands in the protocol's name. */
  readonly dh: '25519' | '25519+MLKEM768'
  /** Whose static key the other side knows beforehand: the pre-messages, which are never more than `s` here. */
  readonly known: readonly NoiseRole[]
  /** Messages in turn, the initiator's first. */
  readonly messages: readonly (readonly NoiseToken[])[]
}

export type NoiseRole = 'initiator' | 'responder'

/** Section 7.5. */
export const noisePatterns = {
  NN: { name: 'NN', dh: '25519', known: [], messages: [['e'], ['e', 'ee']] },
  NK: {
    name: 'NK',
    dh: '25519',
    known: ['responder'],
    messages: [
      ['e', 'es'],
      ['e', 'ee'],
    ],
  },
  XK: {
    name: 'XK',
    dh: '25519',
    known: ['responder'],
    messages: [
      ['e', 'es'],
      ['e', 'ee'],
      ['s', 'se'],
    ],
  },
  IK: {
    name: 'IK',
    dh: '25519',
    known: ['responder'],
    messages: [
      ['e', 'es', 's', 'ss'],
      ['e', 'ee', 'se'],
    ],
  },
  XX: { name: 'XX', dh: '25519', known: [], messages: [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']] },
} as const satisfies Record<string, NoisePattern>

/** Section 9.4: `psk0` begins the first message with the token, `psk1`, `psk2`, … end that message with it. */
export function withPsk(pattern: NoisePattern, position: number): NoisePattern {
  const place = Math.max(0, position - 1)
  return {
    ...pattern,
    name: addModifier(pattern.name, `psk${position}`),
    messages: pattern.messages.map((tokens, index): readonly NoiseToken[] => {
      if (index !== place) return tokens
      return position === 0 ? ['psk', ...tokens] : [...tokens, 'psk']
    }),
  }
}

/**
 * The hybrid forward secrecy extension (revision 1, section 3) with ML-KEM-768: `e1`, an encapsulation key, follows
 * the first `e`, behind the DH that follows it, which then encrypts it; `ekem1`, a ciphertext for it, follows the
 * first `ee`.
 */
export function withHfs(pattern: NoisePattern): NoisePattern {
  const [first = [], ...rest] = pattern.messages
  const afterE = first.indexOf('e') + 1
  const isDh = ['es', 'se', 'ee', 'ss'].includes(first[afterE] ?? '')
  return {
    ...pattern,
    name: addModifier(pattern.name, 'hfs'),
    dh: '25519+MLKEM768',
    messages: [first.toSpliced(afterE + (isDh ? 1 : 0), 0, 'e1'), ...addAfterEe(rest)],
  }
}

function addAfterEe(messages: readonly (readonly NoiseToken[])[]): readonly NoiseToken[][] {
  return messages.map((tokens) => tokens.flatMap((token) => (token === 'ee' ? ['ee', 'ekem1'] : [token])))
}

/** Section 8: the first modifier is appended, each further one behind a plus sign. */
function addModifier(name: string, modifier: string): string {
  return /^[A-Z1]+$/.test(name) ? name + modifier : `${name}+${modifier}`
}
