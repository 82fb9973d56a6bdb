import { hubUrlOf } from '../../core/hub-name.ts'
import { parseHostPort } from '../host-port.ts'
import type { Section } from '../../core/address.ts'

/** The host that a transport's section leads to first, as far as that is a matter of names and IP addresses. */
export function hostOf({ name, data }: Section): string | null {
  const argument = data.join(':')
  switch (name) {
    case 'net':
    case 'utp':
    case 'onion':
      return parseHostPort(argument)?.host ?? null
    case 'ws':
    case 'wss':
      return hostOfUrl(`${name}:${argument}`)
    case 'rtc':
      return hostOfUrl(hubUrlOf(argument) ?? '')
    default:
      return null
  }
}

function hostOfUrl(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null
}
