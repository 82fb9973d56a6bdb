/**
 * What kind of place an address is, for whoever is asked by somebody else to send packets there.
 * `refused` is what nobody has a reason to name: link-local, multicast, reserved and metadata addresses.
 */
export type IpKind = 'public' | 'private' | 'loopback' | 'refused'

/** 4 bytes of an IPv4 or 16 of an IPv6 address. */
export type Ip = Uint8Array

/**
 * Reads an IP literal: IPv4 in four decimal numbers without leading zeros, IPv6 as RFC 4291 (section 2.2) writes it,
 * without brackets and without a zone. Null for anything else: what a resolver would guess at is not a literal.
 */
export function parseIp(text: string): Ip | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** The address in its canonical form (RFC 5952), without the dotted form for the end of an IPv6 address. */
export function formatIp(ip: Ip): string {
  if (ip.length === 4) return ip.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => readGroup(ip, index).toString(16))
  const [start, length] = findZeros(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/** The kind of the place that packets to `ip` reach in the end: an IPv4 address inside an IPv6 one decides. */
export function classifyIp(ip: Ip): IpKind {
  const inner = unwrapIp(ip)
  const rule = (inner.length === 4 ? IPV4_RULES : IPV6_RULES).find(({ prefix, bits }) =>
    hasPrefix(inner, prefix, bits),
  )
  return rule?.kind ?? 'public'
}

/**
 * The IPv4 address that an IPv6 one carries: mapped and compatible (RFC 4291, section 2.5.5), NAT64 (RFC 6052),
 * 6to4 (RFC 3056), Teredo (RFC 4380, where it is inverted). Any other address is answered as it is.
 */
function unwrapIp(ip: Ip): Ip {
  if (ip.length === 4 || hasPrefix(ip, LOOPBACK, 128)) return ip
  if (hasPrefix(ip, MAPPED, 96) || hasPrefix(ip, COMPATIBLE, 96) || hasPrefix(ip, NAT64, 96))
    return ip.slice(12)
  if (hasPrefix(ip, SIX_TO_FOUR, 16)) return ip.slice(2, 6)
  if (hasPrefix(ip, TEREDO, 32)) return ip.slice(12).map((byte) => byte ^ 0xff)
  return ip
}

/**
 * What limits per address count by: an IPv4 address, or the /56 of an IPv6 address, which is what one customer commonly
 * gets and can take any number of addresses from. An IPv4 address inside an IPv6 one counts as that. A port behind it, as
 * some proxies forward it, does not count, or each connection would be a source of its own; for the same reason all that
 * is no address is one source, `unknown`.
 */
export function sourceOf(address: string): string {
  const ip = parseIp(withoutPort(address).replace(/%.*$/, ''))
  if (ip === null) return 'unknown'
  const inner = unwrapIp(ip)
  // Node shows an IPv4 peer of a dual-stack socket as ::ffff:192.0.2.1; whoever comes by any other way is not this machine.
  const isItself = ip.length === 4 || hasPrefix(ip, MAPPED, 96) || classifyIp(inner) !== 'loopback'
  if (inner.length === 4 && isItself) return formatIp(inner)
  return formatIp(ip) === '::1' ? '::1' : formatNetwork(ip, 56)
}

/**
 * The /48 that an IPv6 source, as {@link sourceOf} gives it, is of: a company has one, and so has whoever asks for a free
 * tunnel, with 256 sources in it. Undefined for any other source.
 */
export function siteOf(source: string): string | undefined {
  const ip = source.endsWith('/56') ? parseIp(source.slice(0, -3)) : null
  return ip === null ? undefined : formatNetwork(ip, 48)
}

/** The network of an address: `bits` is a multiple of 8. */
export function formatNetwork(ip: Ip, bits: number): string {
  return `${formatIp(ip.map((byte, index) => (index < bits / 8 ? byte : 0)))}/${bits}`
}

/** Whether a source, as {@link sourceOf} gives it, is this machine. */
export function isLoopbackSource(source: string): boolean {
  return source === '::1' || source.startsWith('127.')
}

/** The kind of a URL's or an address's host: an IP literal, bracketed or not, or a name, which says little. */
export function classifyHost(host: string): IpKind {
  const ip = parseIp(/^\[.*:.*\]$/.test(host) ? host.slice(1, -1) : host)
  if (ip !== null) return classifyIp(ip)
  const name = host.toLowerCase().replace(/\.$/, '')
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback'
  if (name.endsWith('.local')) return 'private'
  return isHostName(name) ? 'public' : 'refused'
}

interface Rule {
  prefix: Ip
  bits: number
  kind: IpKind
}

const LOOPBACK = literal('::1')
const MAPPED = literal('::ffff:0:0')
const COMPATIBLE = literal('::')
const NAT64 = literal('64:ff9b::')
const SIX_TO_FOUR = literal('2002::')
const TEREDO = literal('2001::')

/** The first that fits counts. */
const IPV4_RULES: readonly Rule[] = [
  // Where clouds keep their metadata: Oracle, Alibaba, Azure. (The usual 169.254.169.254 is link-local.)
  createRule('192.0.0.192/32', 'refused'),
  createRule('100.100.100.200/32', 'refused'),
  createRule('168.63.129.16/32', 'refused'),
  createRule('0.0.0.0/8', 'refused'),
  createRule('127.0.0.0/8', 'loopback'),
  createRule('169.254.0.0/16', 'refused'),
  createRule('224.0.0.0/4', 'refused'),
  createRule('240.0.0.0/4', 'refused'),
  createRule('10.0.0.0/8', 'private'),
  createRule('172.16.0.0/12', 'private'),
  createRule('192.168.0.0/16', 'private'),
  // Carriers' NAT and overlay networks (RFC 6598), 464XLAT on phones (RFC 7335), benchmarks (RFC 2544).
  createRule('100.64.0.0/10', 'private'),
  createRule('192.0.0.0/24', 'private'),
  createRule('198.18.0.0/15', 'private'),
]

const IPV6_RULES: readonly Rule[] = [
  // Amazon's metadata.
  createRule('fd00:ec2::254/128', 'refused'),
  createRule('::1/128', 'loopback'),
  createRule('fe80::/10', 'refused'),
  createRule('fec0::/10', 'refused'),
  createRule('ff00::/8', 'refused'),
  createRule('fc00::/7', 'private'),
  // NAT64 for one network's own use (RFC 8215): what it leads to is that network's affair.
  createRule('64:ff9b:1::/48', 'private'),
]

function createRule(range: string, kind: IpKind): Rule {
  const [prefix = '', bits = ''] = range.split('/')
  return { prefix: literal(prefix), bits: Number(bits), kind }
}

function literal(text: string): Ip {
  const ip = parseIp(text)
  if (ip === null) throw new Error(`${text} is not an IP literal`)
  return ip
}

/** Without the port of `192.0.2.1:443` or `[2001:db8::1]:443`, and without brackets. */
function withoutPort(address: string): string {
  const [, bracketed, dotted] = /^(?:\[(.*)\](?::\d+)?|([\d.]+):\d+)$/.exec(address) ?? []
  return bracketed ?? dotted ?? address
}

function parseIpv4(text: string): Ip | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null
  const numbers = parts.map(Number)
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : null
}

function parseIpv6(text: string): Ip | null {
  const halves = text.split('::')
  if (text.length > 45 || halves.length > 2) return null
  const [head, tail] = [parseGroups(halves[0] ?? '', halves.length === 1), parseGroups(halves[1] ?? '', true)]
  if (head === null || tail === null) return null
  const missing = 16 - head.length - tail.length
  // "::" stands for at least one group; without it all eight are there.
  if (halves.length === 1 ? missing !== 0 : missing < 2) return null
  return Uint8Array.from([...head, ...new Uint8Array(missing), ...tail])
}

/** The bytes of groups between colons; only the last of the address may be an IPv4 literal. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const number = Number.parseInt(group, 16)
      bytes.push(number >> 8, number & 0xff)
      continue
    }
    const ipv4 = last && index === groups.length - 1 ? parseIpv4(group) : null
    if (ipv4 === null) return null
    bytes.push(...ipv4)
  }
  return bytes
}

function readGroup(ip: Ip, index: number): number {
  return ((ip[2 * index] ?? 0) << 8) | (ip[2 * index + 1] ?? 0)
}

/** Where the first of the longest runs of zero groups begins, and how long it is. */
function findZeros(groups: readonly string[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start += 1) {
    let end = start
    while (groups[end] === '0') end += 1
    if (end - start > best[1]) best = [start, end - start]
  }
  return best
}

function hasPrefix(ip: Ip, prefix: Ip, bits: number): boolean {
  const whole = bits >> 3
  if (!prefix.subarray(0, whole).every((byte, index) => byte === ip[index])) return false
  const mask = (0xff00 >> (bits & 7)) & 0xff
  return ((ip[whole] ?? 0) & mask) === ((prefix[whole] ?? 0) & mask)
}

/** Letters, digits and hyphens in labels, and a last label that no resolver takes for a part of an IPv4 address. */
function isHostName(name: string): boolean {
  if (name.length > 253) return false
  const labels = name.split('.')
  if (!labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) return false
  return !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')
}
