export interface Random {
  /** From `least` up to, but not including, `most`. */
  between(least: number, most: number): number
  pick<T>(from: readonly T[]): T
}

/** The same numbers for the same seed: xorshift32 (Marsaglia, 2003). */
export function createRandom(seed: number): Random {
  // It has no way out of zero.
  let state = seed | 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  return {
    between: (least, most) => least + next() * (most - least),
    pick<T>(from: readonly T[]) {
      const picked = from[Math.floor(next() * from.length)]
      if (picked === undefined) throw new Error('there is nothing to pick from')
      return picked
    },
  }
}
