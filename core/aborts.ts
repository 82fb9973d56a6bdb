/** Who is told when a signal aborts: through one listener, for as long as it has any. */
const told = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back once when `signal` aborts, at once where it has; the returned function stops that. However many are told by one
 * signal, it has one listener: Node warns of more than ten.
 */
export function whenAborted(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) {
    onAbort()
    return () => undefined
  }
  const mine = told.get(signal) ?? tellAll(signal)
  // Of its own, for the same function may be given twice.
  const tell = () => onAbort()
  mine.add(tell)
  return () => mine.delete(tell)
}

/**
 * Aborts `controller` as the first of `signals` does, until the returned function is called. AbortSignal.any leaves some 100 bytes
 * with a signal that lives on, for good, on Node 20 and 22: a peer that listens for months is introduced to millions.
 */
export function abortWith(controller: AbortController, ...signals: readonly AbortSignal[]): () => void {
  const stops = signals.map((signal) => whenAborted(signal, () => controller.abort(signal.reason)))
  return () => stops.forEach((stop) => stop())
}

function tellAll(signal: AbortSignal): Set<() => void> {
  const mine = new Set<() => void>()
  told.set(signal, mine)
  signal.addEventListener(
    'abort',
    () => {
      told.delete(signal)
      for (const tell of mine) tell()
    },
    { once: true },
  )
  return mine
}
