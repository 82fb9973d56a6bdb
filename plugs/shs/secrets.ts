/** Marks a value to be overwritten when its use is over, and gives it back. */
export type Secret = <T extends Uint8Array | null>(value: T) => T

/** Collects what must not outlive a handshake, whichever way it goes. */
export function createWiper(): { readonly secret: Secret; readonly wipe: () => void } {
  const secrets: Uint8Array[] = []
  return {
    secret: (value) => {
      if (value !== null) secrets.push(value)
      return value
    },
    wipe: () => {
      for (const bytes of secrets) bytes.fill(0)
    },
  }
}
