import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { fuzz } from '../../bench/hub/tasks/fuzz.ts'
import { introduce } from '../../bench/hub/tasks/introduce.ts'
import { Workplace } from '../../bench/hub/workplace.ts'
import type { HubAnswer, HubRequest } from '../../bench/hub/hub.ts'

/** Ten minutes of the same: `npm run bench:hub -- fuzz`. */
const seconds = 20

it('the hub stands whatever is said to it, and serves those who are honest', async () => {
  const program = fileURLToPath(new URL('../../dist/bench/hub/hub.js', import.meta.url))
  const child = fork(program, [], { execArgv: ['--expose-gc'] })
  const ask = async (request: HubRequest): Promise<HubAnswer> => {
    const answered = once(child, 'message')
    child.send(request)
    const [answer] = (await answered) as [HubAnswer]
    return answer
  }
  try {
    const started = await ask({ start: { port: 0, exemptLoopback: true } })
    if (!('listening' in started)) throw new Error(JSON.stringify(started))
    const hub = started.listening
    const seed = Date.now() % 1e9
    console.log(`the fuzzer's seed is ${seed}`)
    const place = new Workplace()
    const load = { ...hub, sockets: 30, seed }
    const honest = { ...hub, pairs: 4, perSecond: 5 }
    // What is compiled and reserved once is there after this.
    await Promise.all([fuzz({ ...load, seconds: 4 }), introduce(place, { ...honest, seconds: 4 })])
    const before = await ask({ memory: true })
    const [seen, served] = await Promise.all([
      fuzz({ ...load, seed: seed + 1_000, seconds: seconds - 4 }),
      introduce(place, { ...honest, seconds: seconds - 4 }),
    ])
    const after = await ask({ memory: true })
    expect(seen.sent).toBeGreaterThan(1_000)
    expect(served.refusals).toEqual({})
    expect(served.latencies.length).toBeGreaterThan(0)
    if (!('memory' in before) || !('memory' in after)) throw new Error('the hub does not tell its memory')
    expect(after.memory.prototypeKeys).toEqual([])
    // In bytes that are alive: a kilobyte kept of each connection would show as megabytes.
    expect(after.memory.heap - before.memory.heap).toBeLessThan(4 * 2 ** 20)
  } finally {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    // It ends well, with the sockets of the fuzzer still on its hands.
    expect((await exited)[0]).toBe(0)
  }
}, 120_000)
