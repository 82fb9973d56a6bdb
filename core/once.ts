/** Calls `what` the first time that it is called, and never again. */
export function once(what: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    what()
  }
}
