export interface Scale {
  /** The value at the upper edge, above 0. */
  readonly top: number
  readonly ticks: readonly { value: number; label: string }[]
}

const roundSteps = [1, 2, 2.5, 5, 10]
/** What is less than this is nothing: no chart is of such small numbers. */
const least = 1e-6

/** From 0 to a round number that is not below `highest`, in two to five round steps of `leastStep` or more. */
export function scaleTo(highest: number, format: (value: number) => string, leastStep = 0): Scale {
  const wanted = Math.max(highest > least ? highest / 4 : 0.25, leastStep)
  const power = 10 ** Math.floor(Math.log10(wanted))
  const step = (roundSteps.find((round) => round * power >= wanted * (1 - 1e-9)) ?? 10) * power
  const count = Math.max(2, Math.ceil(highest / step - 1e-9))
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const value = index * step
    return { value, label: format(value) }
  })
  return { top: count * step, ticks }
}
