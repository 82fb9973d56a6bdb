const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** `9,800`; three digits at least stay whole: `0.25`, `3.1`, `142`. */
export function formatNumber(value: number): string {
  return (value < 10 && !Number.isInteger(value) ? short : whole).format(value)
}

export function formatMs(value: number): string {
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

/** The two largest units: `3 days 4 hours`. */
export function formatDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3_600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [Math.floor(seconds) % 60, 'second'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0 seconds'
  const told = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return told.map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`).join(' ')
}

export function formatTime(atMs: number): string {
  return new Date(atMs).toLocaleTimeString('en', { hour12: false })
}
