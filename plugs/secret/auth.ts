import { MultiserverError } from '../../core/errors.ts'

/**
 * Decides whether a client may connect; `key` is its Ed25519 public key, 32 bytes, proved already.
 * It returns, or resolves to, what becomes `connection.auth`, or calls back. Falsy, throwing and rejecting refuse;
 * the first answer counts. A function that declares the callback answers by it or by a promise, and what it
 * returns besides is no answer: `(key, callback) => setTimeout(…)` must not let everybody in.
 */
export type Auth = (key: Uint8Array, callback: AuthCallback) => unknown

export type AuthCallback = (error?: unknown, auth?: unknown) => void

/** What `auth` answered, truthy; undefined without one. Else AUTH_REFUSED. May never settle: the caller has a deadline. */
export async function askAuth(auth: Auth | undefined, key: Uint8Array): Promise<unknown> {
  if (auth === undefined) return undefined
  let answer: unknown
  try {
    answer = await firstAnswer(auth, key)
  } catch (cause) {
    throw new MultiserverError('AUTH_REFUSED', 'auth failed, so the client was refused', { cause })
  }
  if (!answer) throw new MultiserverError('AUTH_REFUSED', 'auth did not accept the client')
  return answer
}

function firstAnswer(auth: Auth, key: Uint8Array): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback: AuthCallback = (error, answer) => (error ? reject(error) : resolve(answer))
    const returned = auth(key, callback)
    if (isThenable(returned)) {
      // Undefined from a function that may call back is no answer yet; from one that can't, it is a no.
      returned.then((answer) => {
        if (answer !== undefined || auth.length < 2) resolve(answer)
      }, reject)
    } else if (auth.length < 2 && (returned !== undefined || auth.length === 1)) {
      resolve(returned)
    }
  })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
