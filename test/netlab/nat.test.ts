import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createLab, type HostName, type Lab } from './lab.ts'
import { missing } from './namespaces.ts'
import { behaviours, natKinds } from './nat.ts'

/** Two ports on each of two addresses, away from those of the hub and the TURN server. */
const [A1, A2, B1, B2] = ['203.0.113.20:7001', '203.0.113.20:7002', '203.0.113.21:7001', '203.0.113.21:7002']

describe.skipIf(missing !== '')(`the laboratory${missing}`, () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await createLab({ nats: natKinds, seed: 1 })
    await startProgram('turn', 'reflector.mjs', A1, A2, B1, B2)
  })
  afterAll(() => lab.close())

  /** Resolves with the first thing it says. */
  async function startProgram(host: HostName | `peer${number}`, file: string, ...args: string[]) {
    const [command, words] = lab.command(host, file, ...args)
    const child = spawn(command, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [said] = (await once(child, 'message')) as [unknown]
    return said
  }

  it.each(natKinds.map((kind, index) => [kind, index] as const))(
    'has a NAT that is %s',
    async (kind, index) => {
      expect(await startProgram(`peer${index}`, 'classify.mjs', A1, A2, B1, B2)).toEqual(behaviours[kind])
    },
  )

  it('loses what it is told to lose, and nothing without a way', async () => {
    const classify = () => startProgram('peer0', 'classify.mjs', A1, A2, B1, B2)
    await lab.down('nat0')
    expect(await classify()).toEqual(behaviours.udpblock)
    await lab.up('nat0')
    const before = await lab.counts()
    await lab.set({ loss: 1 })
    expect(await classify()).toEqual(behaviours.udpblock)
    const after = await lab.counts()
    expect(after.dropped - before.dropped).toBe(after.received - before.received)
    expect(after.dropped).toBeGreaterThan(before.dropped)
    await lab.set({ loss: 1 }, 'nat1')
    await lab.set({ delayMs: 20, jitterMs: 10, duplicate: 0.5, reorder: 0.2, bitsPerSecond: 1e6 })
    expect(await classify()).toEqual(behaviours.fullcone)
    await lab.set({}, 'nat1')
    await lab.set({})
  })

  it('gives a NAT another address', async () => {
    const [place] = lab.places
    await place?.changeAddress()
    expect(await startProgram('peer0', 'classify.mjs', A1, A2, B1, B2)).toEqual(behaviours.fullcone)
    await place?.flushConntrack()
    await place?.changeAddress()
    expect(await startProgram('peer0', 'classify.mjs', A1, A2, B1, B2)).toEqual(behaviours.fullcone)
  })
})

describe.skipIf(missing !== '')(`a laboratory whose process dies${missing}`, () => {
  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('leaves nothing behind after %s', async (signal) => {
    const child = fork(fileURLToPath(new URL('./dies.mjs', import.meta.url)))
    const [prefix] = (await once(child, 'message')) as [string]
    expect(await traces(prefix)).not.toEqual([])
    child.kill(signal)
    await vi.waitFor(async () => expect(await traces(prefix)).toEqual([]), 10_000)
  })
})

/** Namespaces and files that are called so, and processes that have it in their command line. */
async function traces(prefix: string): Promise<string[]> {
  const files = await Promise.all(['/run/netns', tmpdir()].map((folder) => readdir(folder).catch(() => [])))
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return [
    ...files.flat().filter((name) => name.startsWith(prefix)),
    ...lines.filter((line) => line.includes(prefix)),
  ]
}
