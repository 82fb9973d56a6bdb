/** Where a socket can be connected to. */
export interface HostPort {
  /** A name or an IP literal, without brackets. */
  readonly host: string
  /** 1 to 65,535. */
  readonly port: number
}

/** `HOST:PORT`; everything before the last colon is the host, so that IPv6 may stand bare. No host is localhost. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(.*):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1')
  const port = Number(match[2])
  if (port < 1 || port > 65_535 || /[[\]/\s]/.test(host)) return null
  return { host: host === '' ? 'localhost' : host, port }
}
