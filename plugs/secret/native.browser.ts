import type { NativeSodium } from './native.ts'

/** Browsers have no native code. */
export function loadNative(): NativeSodium | undefined {
  return undefined
}
