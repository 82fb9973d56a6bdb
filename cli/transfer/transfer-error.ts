import type { GoneCode, RefusalCode, SkipCode } from './messages.ts'

/** Why there is no transfer, or not of one file. NO_FILES: what was to be sent is not there to be sent. */
export type TransferCode = RefusalCode | GoneCode | SkipCode | 'NO_FILES'

export class TransferError<Code extends TransferCode = TransferCode> extends Error {
  override readonly name = 'TransferError'
  readonly code: Code
  /** What the far side may read of it: nothing of where files are here. */
  readonly told: string

  constructor(code: Code, message: string, cause?: unknown, told: string = message) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.told = told
  }
}

/** A receiver takes nothing, or nothing more. */
export class Refusal extends TransferError<RefusalCode> {}

/**
 * Of what the system says in `cause`, whose message has paths in it, the far side is told the code.
 *
 * @returns the arguments of an error behind its code
 */
export function becauseOf(cause: unknown, what: string): [message: string, cause: unknown, told: string] {
  return [
    `${what}: ${reasonOf(cause)}`,
    cause,
    `${what}: ${systemCode(cause) ?? 'its system does not say why'}`,
  ]
}

/** What a thrown value says, for a sentence. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The code of an error of the system, such as ENOENT. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined
}
