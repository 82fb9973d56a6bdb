import { MultiserverError, type ErrorCode } from '../../core/errors.ts'

/** How a step of a handshake fails, and what a person is told about it. */
export type Failure = readonly [code: ErrorCode, message: string]

export function fail([code, message]: Failure, cause?: unknown): MultiserverError {
  return new MultiserverError(code, message, { cause })
}
