/**
 * What this process has, in bytes, for who started it with --expose-gc. A collection that V8 had begun by itself is only
 * finished by the first `gc()`: what died meanwhile, tens of megabytes of buffers on a busy relay, takes one more.
 */
export function measureMemory() {
  for (let liveBytes = Infinity, round = 0; ; round += 1) {
    globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    if (heapUsed + external >= liveBytes || round === mostRounds) return { liveBytes, residentBytes: rss }
    liveBytes = heapUsed + external
  }
}

/** Two are the rule; a process at work always has a little more to be freed. */
const mostRounds = 4
