import { formatIp, parseIp } from '../core/ip.ts'

/**
 * What limits per address count by: an IPv4 address, or the /56 of an IPv6 address, which is what one
 * customer commonly gets and can take any number of addresses from. Anything else counts as it is.
 */
export function sourceOf(address: string): string {
  const ip = parseIp(address.replace(/%.*$/, ''))
  if (ip === null) return address
  if (ip.length === 4) return formatIp(ip)
  // Node shows an IPv4 peer of a dual-stack socket as ::ffff:192.0.2.1.
  const head = ip.subarray(0, 12)
  if (head.every((byte, index) => byte === (index < 10 ? 0 : 0xff))) return formatIp(ip.subarray(12))
  if (formatIp(ip) === '::1') return '::1'
  return `${formatIp(ip.map((byte, index) => (index < 7 ? byte : 0)))}/56`
}

/** Whether a source, as {@link sourceOf} gives it, is this machine. */
export function isLoopbackSource(source: string): boolean {
  return source === '::1' || source.startsWith('127.')
}
