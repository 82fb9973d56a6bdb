import { RedisServer } from '../../../test/support/redis-server.ts'
import { withWorker } from '../crew.ts'
import { row, type Row, spreadOf } from '../figures.ts'
import { HubProcess } from '../hub-process.ts'
import type { Scenario } from '../scenario.ts'

const sizes = [1, 2, 3]
const perSecond = 4
/** Of an introduction that crosses nodes, over one within a node: it is two nodes' work, and Redis between them. */
const mostGrowth = 1.25

/** The same introductions on one Redis with more and more nodes; from two on, each crosses from a node to the next. */
export const cluster: Scenario = {
  about:
    'introductions from node to node, with 1, 2 and 3 nodes on one Redis (redis-server must be installed)',
  peers: 120,
  seconds: 15,
  workers: 0,
  needsOwnHub: true,
  async run({ peers, seconds }) {
    const redis = await RedisServer.start()
    // It does not look whether its parent is still there.
    const stop = () => void redis.stop()
    process.once('exit', stop)
    const rows: Row[] = []
    const costs: number[] = []
    try {
      for (const size of sizes) {
        const { latencies, cpuMs } = await measure(size, { redisUrl: redis.url, peers, seconds })
        const cost = cpuMs / latencies.length
        const { p50, p99 } = spreadOf(latencies)
        costs.push(cost)
        rows.push(
          row(
            `${size} ${size === 1 ? 'node' : 'nodes'}`,
            `${(latencies.length / seconds).toFixed(0)} a second, ${cost.toFixed(2)} ms of CPU each, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
          ),
        )
      }
    } finally {
      process.off('exit', stop)
      await redis.close()
    }
    const [, two = NaN, three = NaN] = costs
    rows.push(
      row('CPU of one, 3 nodes over 2', three / two, `at most ${mostGrowth}`, three / two <= mostGrowth),
    )
    return rows
  },
}

/** Pairs spread over the nodes, each client at the node after its server's. */
async function measure(
  size: number,
  { redisUrl, peers, seconds }: { redisUrl: string; peers: number; seconds: number },
): Promise<{ latencies: number[]; cpuMs: number }> {
  const nodes = await Promise.all(Array.from({ length: size }, () => HubProcess.start({}, 0, redisUrl)))
  try {
    return await withWorker(async (worker) => {
      const before = await Promise.all(nodes.map((node) => node.memory()))
      const pairs = Math.ceil(peers / 2 / size)
      const seen = await Promise.all(
        nodes.map((serverAt, index) => {
          const { url, hubName } = nodes[(index + 1) % size] ?? serverAt
          const at = { url: serverAt.url, hubName: serverAt.hubName }
          return worker.ask('introduce', { url, hubName, serverAt: at, pairs, seconds, perSecond })
        }),
      )
      const after = await Promise.all(nodes.map((node) => node.memory()))
      const cpuMs = after.reduce((sum, node, index) => sum + node.cpuMs - (before[index]?.cpuMs ?? 0), 0)
      return { latencies: seen.flatMap(({ latencies }) => latencies), cpuMs }
    })
  } finally {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
  }
}
