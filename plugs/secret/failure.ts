import { MultiserverError, type ErrorCode } from '../../core/errors.ts'

/** How a step of a handshake fails, and what a person is told about it. */
export type Failure = readonly [code: ErrorCode, message: string]

export function fail([code, message]: Failure, cause?: unknown): MultiserverError {
  return new MultiserverError(code, message, { cause })
}

/** The address names a key that the far side can't have. */
export const unprovableKey: Failure = [
  'WRONG_KEY',
  'the address names a key that nobody can prove: not canonical or of small order',
]
