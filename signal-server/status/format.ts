const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })
const hundredths = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** Two digits of what is small and broken, and otherwise the whole number: `0.25`, `3.1`, `142`, `9,800`. */
export function formatNumber(value: number): string {
  return (value < 10 && !Number.isInteger(value) ? short : whole).format(value)
}

/** Nobody needs to know less than a hundredth of a millisecond. */
export function formatMs(value: number): string {
  if (value < 1) return `${hundredths.format(value)} ms`
  return value >= 1000 ? `${formatNumber(value / 1000)} s` : `${formatNumber(value)} ms`
}

/** Of a share between 0 and 1. */
export function formatShare(value: number): string {
  return `${whole.format(value * 100)} %`
}

export function formatBytes(value: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB']
  const power = value < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(value) / 3))
  return `${formatNumber(value / 1000 ** power)} ${units[power]}`
}

/** The two largest units: `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0 s'
  const told = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return told.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

export function formatTime(atMs: number): string {
  return new Date(atMs).toLocaleTimeString('en', { hour12: false })
}
