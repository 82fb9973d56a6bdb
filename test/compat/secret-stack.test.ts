import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../support/fixed-port.ts'

type Multiserver = 'ours' | 'theirs'
type Told = { id: string; address: string; error?: string; greeting?: string; numbers?: number }

const script = fileURLToPath(new URL('secret-stack-peer.cjs', import.meta.url))
const peers: ChildProcess[] = []

afterEach(async () => {
  const closing = peers.splice(0).map(async (peer) => {
    const late = setTimeout(() => peer.kill('SIGKILL'), 8000)
    const exited = once(peer, 'exit')
    peer.send({ close: true })
    // By itself: after close nothing is left that would hold the process.
    expect(await exited).toEqual([0, null])
    clearTimeout(late)
  })
  await Promise.all(closing)
})

it.each<[Multiserver, Multiserver]>([
  ['ours', 'ours'],
  ['ours', 'theirs'],
  ['theirs', 'ours'],
])(
  'an application of secret-stack on %s calls one on %s, and is answered',
  async (calling, answering) => {
    const [caller, callee] = [await startPeer(calling, 1), await startPeer(answering, 2)]
    expect(callee.told.address).toMatch(/^net:.*~shs:/)
    caller.process.send({ call: callee.told.address })
    const [answer] = (await once(caller.process, 'message')) as [Told]
    expect(answer).toEqual({ greeting: `hello ${calling}, ${caller.told.id} is who you are`, numbers: 1000 })
  },
  30_000,
)

async function startPeer(
  multiserver: Multiserver,
  seed: number,
): Promise<{ process: ChildProcess; told: Told }> {
  // By itself it takes one that connections may have, and does not say when it could not.
  const port = await freePort()
  const process = fork(script, [multiserver, String(seed), String(port)], { execArgv: [] })
  peers.push(process)
  const [told] = (await once(process, 'message')) as [Told]
  return { process, told }
}
