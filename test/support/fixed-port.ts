/**
 * A port for what can't be told to let the system choose: below those that systems give out by themselves (from
 * 32,768 on Linux), and different in every process of a run.
 */
export function fixedPort(): number {
  next = (next + 1) % 100
  return 10_000 + (process.pid % 220) * 100 + next
}

let next = 0
