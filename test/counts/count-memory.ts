/**
 * The bytes of all arrays that are made with a length, or copied by `slice`, while something runs: what a collector has
 * to take away again, counted, so that it is the same on every machine. Node's own buffers are not among them.
 */
export async function countMemory(act: () => Promise<void>): Promise<number> {
  const real = globalThis.Uint8Array
  let bytes = 0
  globalThis.Uint8Array = new Proxy(real, {
    construct(target, parts: unknown[], newTarget) {
      if (typeof parts[0] === 'number') bytes += parts[0]
      return Reflect.construct(target, parts, newTarget) as object
    },
  })
  // All kinds of arrays inherit theirs, so that this one hides it while it is there.
  Object.defineProperty(real.prototype, 'slice', {
    configurable: true,
    value(this: Uint8Array, start = 0, end = this.length) {
      const copied = real.from(this.subarray(start, end))
      bytes += copied.length
      return copied
    },
  })
  try {
    await act()
    return bytes
  } finally {
    globalThis.Uint8Array = real
    Reflect.deleteProperty(real.prototype, 'slice')
  }
}
