import type { Transform } from '../core/types.ts'

export interface NoauthOptions {
  /** Lets everybody in from everywhere, unencrypted: on a public scope too. @default false */
  allowPublic?: boolean | undefined
}

/**
 * No encryption, no proof of anything: `noauth`, and no other section, so that an address that names a key never
 * ends up here. For what only this machine or a private network reaches, such as a unix socket.
 *
 * In a stack whose transport can be reached from anywhere it is STACK_INVALID, unless `allowPublic` is set.
 */
export function noauth({ allowPublic = false }: NoauthOptions = {}): Transform {
  return {
    name: 'noauth',
    strength: 0,
    section: () => 'noauth',
    parse: (section) =>
      section === 'noauth' ? { connect: (inner) => Promise.resolve({ stream: inner }) } : null,
    accept: (inner) => Promise.resolve({ stream: inner }),
    refuses({ name, reach }) {
      if (allowPublic || (reach !== undefined && !reach.includes('public'))) return undefined
      return `noauth behind ${name} would let in anybody: use shs, or noauth({ allowPublic: true })`
    },
  }
}

export default noauth
export { noauth as 'module.exports' }
