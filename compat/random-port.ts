import { randomInt } from 'node:crypto'

/**
 * A port, chosen before anybody listens there: 3.8.2 prints it by then. Of the dynamic range (RFC 6335, section 6)
 * the part that Linux does not give to connections, because one of those may have it already.
 */
export function randomPort(): number {
  return randomInt(61_000, 65_536)
}
