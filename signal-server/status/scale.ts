export interface Scale {
  /** The value at the upper edge, above 0. */
  readonly top: number
  readonly ticks: readonly { value: number; label: string }[]
}

const roundSteps = [1, 2, 2.5, 5, 10]

/** From 0 to a round number that is not below `highest`, in two to four round steps. */
export function scaleTo(highest: number, format: (value: number) => string): Scale {
  const least = (highest > 0 ? highest : 1) / 4
  const power = 10 ** Math.floor(Math.log10(least))
  const step = (roundSteps.find((round) => round * power >= least * (1 - 1e-9)) ?? 10) * power
  const count = Math.max(2, Math.ceil(highest / step - 1e-9))
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const value = index * step
    return { value, label: format(value) }
  })
  return { top: count * step, ticks }
}
