import { formatArgument, sectionArgument } from '../core/address.ts'
import { checkReach } from '../core/reach.ts'
import { openWebSocket } from '#websocket'
import { WebSocketStream } from './websocket-stream.ts'
import type { Target } from '../core/types.ts'

export interface WsDialOptions {
  /** The largest incoming message; more ends the connection. @default 1048576 */
  maxMessageBytes?: number | undefined
  /** Headers of the request that opens the WebSocket; browsers set none. */
  headers?: Readonly<Record<string, string>> | undefined
}

/** A whole message is in memory before it can be read. */
export const defaultMaxMessageBytes = 1024 * 1024

/** `ws://host:port/path` or `wss://…` as something to dial, or null. */
export function parseWsTarget(section: string, options: WsDialOptions): Target | null {
  const url = parseWsUrl(section)
  if (url === null) return null
  const [name, rest] = [url.slice(0, url.indexOf(':')), url.slice(url.indexOf(':') + 1)]
  const maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes
  return {
    async dial({ signal, reach }) {
      checkReach(new URL(url).hostname, reach)
      const socket = openWebSocket(url, { maxMessageBytes, headers: options.headers, reach })
      return WebSocketStream.dial(socket, { address: formatArgument(name, rest) }, signal)
    },
  }
}

/** Path and query are kept, ports default to 80 and 443; a user, a password or a fragment has no place here. */
function parseWsUrl(section: string): string | null {
  for (const scheme of ['ws', 'wss']) {
    const rest = sectionArgument(section, scheme)
    if (rest === null || !/^\/\/[^/]/.test(rest) || !URL.canParse(`${scheme}:${rest}`)) continue
    const url = new URL(`${scheme}:${rest}`)
    return url.username !== '' || url.password !== '' || url.hash !== '' ? null : url.href
  }
  return null
}
