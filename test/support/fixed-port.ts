import { createServer } from 'node:net'

/**
 * A port for what can't be told to let the system choose: below those that systems give out by themselves (from
 * 32,768 on Linux), and different in every process of a run.
 */
export function fixedPort(): number {
  next = (next + 1) % 100
  return 10_000 + (process.pid % 220) * 100 + next
}

/** One at which nobody listens, on any interface. */
export async function freePort(): Promise<number> {
  const port = fixedPort()
  return (await canListen(port)) ? port : freePort()
}

let next = 0

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
