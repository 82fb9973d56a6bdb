import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { askForRelay, introduce, openCircuit, type RelayClient } from '../signal-server/relay-client.ts'
import type { Memory } from '../support/measure-memory.mjs'
import { MemoryGrowth, offeredBytes } from '../support/memory-growth.ts'
import type { RunningHub } from '../../signal-server/index.ts'

const script = fileURLToPath(new URL('hub-process.mjs', import.meta.url))
const MiB = 1024 * 1024
const warmUpBytes = 64 * MiB
/** A sender that got nothing away for this long is held back. */
const stalledMs = 1000
/** What the sender itself may keep, so that it is the hub that is measured. */
const keptBytes = MiB

it('the memory of a hub stays flat while 1 GiB is offered to an end of a circuit that stopped reading', async () => {
  const hub = fork(script, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const [started] = (await once(hub, 'message')) as [RunningHub]
    const introduced = await introduce(started)
    const [one, other] = await openCircuit(await askForRelay(introduced))
    let receivedBytes = 0
    other.socket.on('message', (data: Buffer) => {
      receivedBytes += data.length
      other.frames.length = 0
    })
    // As it will be: once straight through, and once held back and let go.
    let sentBytes = await offer(one, warmUpBytes)
    other.socket.pause()
    sentBytes += await offer(one, warmUpBytes)
    other.socket.resume()
    await other.until(() => receivedBytes === sentBytes)
    const growth = new MemoryGrowth(await memoryOf(hub))

    other.socket.pause()
    const sentMeanwhile = await offer(one, offeredBytes, async () => growth.note(await memoryOf(hub)))
    growth.expectFlat()
    // The network of the sender and of the reader hold some megabytes each, and the hub a quarter of one.
    expect(sentMeanwhile).toBeLessThan(offeredBytes / 8)

    other.socket.resume()
    await other.until(() => receivedBytes === sentBytes + sentMeanwhile)
    growth.note(await memoryOf(hub))
    growth.expectFlat()
    for (const { socket } of [one, other, introduced.client, introduced.server]) socket.terminate()
  } finally {
    hub.kill('SIGKILL')
    await once(hub, 'exit')
  }
}, 60_000)

/** Sends as fast as it is taken, until all is sent or nothing was taken for a second; answers how much left. */
async function offer(
  end: RelayClient,
  bytes: number,
  meanwhile = async () => undefined as void,
): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024)
  let sent = 0
  let progressAt = performance.now()
  while (sent < bytes && performance.now() - progressAt < stalledMs) {
    if (end.socket.bufferedAmount < keptBytes) {
      end.socket.send(chunk)
      sent += chunk.length
      progressAt = performance.now()
    } else {
      await new Promise((resolve) => setTimeout(resolve, 5))
      await meanwhile()
    }
  }
  return sent
}

async function memoryOf(hub: ChildProcess): Promise<Memory> {
  hub.send('measure')
  const [{ memory }] = (await once(hub, 'message')) as [{ memory: Memory }]
  return memory
}
