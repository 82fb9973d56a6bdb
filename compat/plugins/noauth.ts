import type { TransformPlugin } from '../types.ts'

export interface NoauthOptions {
  readonly keys: { readonly publicKey: Buffer }
}

/**
 * The plugin `multiserver/plugins/noauth` of 3.8.2: no encryption, and everybody is taken for oneself. Only for what
 * nobody else can reach. Unlike in 3.8.2 it takes no section but `noauth`.
 */
export function Noauth({ keys: { publicKey } }: NoauthOptions): TransformPlugin<object> {
  return {
    name: 'noauth',
    create:
      () =>
      ({ source, sink }, callback) => {
        const address = `noauth:${publicKey.toString('base64')}`
        callback(null, { source, sink, remote: publicKey, auth: { allow: null, deny: null }, address })
      },
    parse: (section) => (section === 'noauth' ? {} : null),
    stringify: () => 'noauth',
  }
}

export default Noauth
export { Noauth as 'module.exports' }
