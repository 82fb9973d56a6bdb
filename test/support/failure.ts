import { MultiserverError } from '../../core/errors.ts'

/** The error of ours that `promise` rejects with. */
export async function failure(promise: Promise<unknown>): Promise<MultiserverError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MultiserverError) return error
    throw new Error('it rejected with something that has no code', { cause: error })
  }
  throw new Error('it did not reject')
}
