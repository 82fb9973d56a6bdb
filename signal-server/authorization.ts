import { createHash, timingSafeEqual } from 'node:crypto'

/** Nobody; everyone who reaches the hub; whoever shows the token. */
export type Access = boolean | { token: string }

/** The token that `access` wants, undefined when it wants none. Throws a TypeError for an empty one. */
export function tokenOf(access: Access | undefined, path: string): string | undefined {
  const token = typeof access === 'object' ? access.token : undefined
  if (token === '') throw new TypeError(`the token for ${path} is empty`)
  return token
}

/** Whether an Authorization header is `Bearer TOKEN`, which programs send. */
export function isBearer(header: string | undefined, token: string): boolean {
  return isSame(header ?? '', `Bearer ${token}`)
}

/** Whether it is Basic with the token as its password and any name: what browsers ask people for (RFC 7617). */
export function isBasic(header: string | undefined, token: string): boolean {
  const [, encoded] = /^basic ([\w+/=-]+)$/i.exec(header ?? '') ?? []
  if (encoded === undefined) return false
  const pair = Buffer.from(encoded, 'base64').toString()
  const colon = pair.indexOf(':')
  return colon !== -1 && isSame(pair.slice(colon + 1), token)
}

/** Compared by digests: how long that takes tells nothing. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
