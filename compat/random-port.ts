import { randomInt } from 'node:crypto'

/** A port of the dynamic range (RFC 6335, section 6): 3.8.2 prints it before it listens. */
export function randomPort(): number {
  return randomInt(49_152, 65_536)
}
