import { RedisServer } from '../../../test/support/redis-server.ts'
import { withWorker } from '../crew.ts'
import { median, ofRounds, row, type Row, spreadOf } from '../figures.ts'
import { HubProcess } from '../hub-process.ts'
import type { Scenario } from '../scenario.ts'

const sizes = [1, 2, 3]
const rounds = 3
const perSecond = 4
/** What may be more, for noise. One that crosses nodes is work for both, and Redis is between them. */
const mostGrowth = 1.25

interface Measured {
  latencies: number[]
  /** Milliseconds of CPU of all nodes, for each introduction. */
  cost: number
}

/** The same introductions on one Redis with more and more nodes; from two on, each crosses from a node to the next. */
export const cluster: Scenario = {
  about:
    'introductions from node to node, with 1, 2 and 3 nodes on one Redis (redis-server must be installed)',
  peers: 120,
  seconds: 6,
  workers: 0,
  needsOwnHub: true,
  async run({ peers, seconds }) {
    const redis = await RedisServer.start()
    // It does not look whether its parent is still there.
    const stop = () => void redis.stop()
    process.once('exit', stop)
    const seen = new Map(sizes.map((size) => [size, [] as Measured[]]))
    try {
      for (let round = 0; round < rounds; round += 1)
        for (const size of sizes)
          seen.get(size)?.push(await measure(size, { redisUrl: redis.url, peers, seconds }))
    } finally {
      process.off('exit', stop)
      await redis.close()
    }
    const costsOf = (size: number) => (seen.get(size) ?? []).map(({ cost }) => cost)
    const rows = sizes.map((size) => {
      const latencies = (seen.get(size) ?? []).flatMap((one) => one.latencies)
      const { p50, p99 } = spreadOf(latencies)
      const rate = (latencies.length / seconds / rounds).toFixed(0)
      return row(
        size === 1 ? '1 node (control)' : `${size} nodes`,
        `${rate} introductions a second, ${ofRounds(costsOf(size), 2)} ms of CPU each, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
      )
    })
    const over = (size: number) =>
      median(costsOf(3).map((cost, round) => cost / (costsOf(size)[round] ?? NaN)))
    return [...rows, growthRow(2, over(2)), growthRow(1, over(1))]
  },
}

function growthRow(size: number, ratio: number): Row {
  const what = `CPU of an introduction, 3 nodes over ${size}`
  return row(what, ratio, `at most ${mostGrowth}`, ratio <= mostGrowth)
}

/** Pairs spread over the nodes, each client at the node after its server's. */
async function measure(
  size: number,
  { redisUrl, peers, seconds }: { redisUrl: string; peers: number; seconds: number },
): Promise<Measured> {
  const nodes = await Promise.all(Array.from({ length: size }, () => HubProcess.start({}, 0, redisUrl)))
  const cpuMs = () => nodes.reduce((sum, node) => sum + node.cpuMs(), 0)
  try {
    return await withWorker(async (worker) => {
      const before = cpuMs()
      const pairs = Math.ceil(peers / 2 / size)
      const seen = await Promise.all(
        nodes.map((serverAt, index) => {
          const { url, hubName } = nodes[(index + 1) % size] ?? serverAt
          const at = { url: serverAt.url, hubName: serverAt.hubName }
          return worker.ask('introduce', { url, hubName, serverAt: at, pairs, seconds, perSecond })
        }),
      )
      const latencies = seen.flatMap((one) => one.latencies)
      return { latencies, cost: (cpuMs() - before) / latencies.length }
    })
  } finally {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')))
  }
}
