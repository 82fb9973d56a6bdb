import type { GoneCode, RefusalCode, SkipCode } from './messages.ts'

/** Why there is no transfer, or not of one file. NO_FILES: what was to be sent is not there to be sent. */
export type TransferCode = RefusalCode | GoneCode | SkipCode | 'NO_FILES'

export class TransferError<Code extends TransferCode = TransferCode> extends Error {
  override readonly name = 'TransferError'
  readonly code: Code

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** A receiver takes nothing, or nothing more. */
export class Refusal extends TransferError<RefusalCode> {}

/** What a thrown value says, for a sentence. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The code of an error of the system, such as ENOENT. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined
}
