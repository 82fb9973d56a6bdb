import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { limits } from '../core/limits.ts'
import MultiServer from '../core/multiserver.ts'
import { generateKeys } from '../plugs/keys.ts'
import rtc from '../plugs/rtc/index.ts'
import shs2 from '../plugs/shs2/index.ts'
import { startHub } from '../signal-server/index.ts'

/**
 * Dials from Node to Node over rtc~shs2, one after the other: `node dist/bench/dials.js [DIALS]`, and before it `taskset -c 0`
 * for one processor. The hub and the server are one process, the client is another. The slowest are shown by their stages.
 */
const goalMs = 300
/** A peer takes no more introductions than so many a second. */
const apartMs = 1000 / limits.introduction.perSecond
const times = Number(process.argv[2] ?? 200)

if (process.argv[2] === 'serve') await serve()
else {
  const server = fork(fileURLToPath(import.meta.url), ['serve'])
  try {
    const [address] = (await once(server, 'message')) as [string]
    await dialAgainAndAgain(address)
  } finally {
    server.kill()
  }
}

async function serve(): Promise<void> {
  process.on('disconnect', () => process.exit())
  // Dials in such a row are more than a hub takes from one peer.
  const hub = await startHub({
    port: 0,
    exemptLoopback: true,
    limits: { messagesBurst: 1e6, bytesBurst: 1e9 },
  })
  const ms = MultiServer([[rtc({ hub: hub.url }), shs2({ keys: await generateKeys() })]])
  await ms.server((connection) => void connection.read().then(() => connection.close())).listening
  process.send?.(ms.stringify())
}

async function dialAgainAndAgain(address: string): Promise<void> {
  const ms = MultiServer([[rtc(), shs2({ keys: await generateKeys() })]])
  const dials: { tookMs: number; stageMs: object }[] = []
  // The first loads and compiles.
  for (let count = -1; count < times; count++) {
    const startedAt = performance.now()
    const connection = await ms.client(address)
    const tookMs = performance.now() - startedAt
    if (count >= 0) dials.push({ tookMs, stageMs: connection.stats()['stageMs'] as object })
    await connection.close()
    await sleep(Math.max(0, apartMs - (performance.now() - startedAt)))
  }
  const slowestFirst = dials.toSorted((a, b) => b.tookMs - a.tookMs)
  const at = (share: number) => (slowestFirst[Math.floor((1 - share) * (times - 1))]?.tookMs ?? 0).toFixed(0)
  const late = dials.filter(({ tookMs }) => tookMs > goalMs).length
  console.log(
    `${times} dials: median ${at(0.5)} ms, p95 ${at(0.95)}, longest ${at(1)}; ${late} over ${goalMs} ms`,
  )
  for (const { stageMs } of slowestFirst.slice(0, 3)) {
    console.log(
      Object.entries(stageMs)
        .map(([stage, took]) => `${stage} ${Number(took).toFixed(0)}`)
        .join(', '),
    )
  }
}
