import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { askForRelay, introduce, openCircuit, type RelayClient } from '../signal-server/relay-client.ts'
import type { RunningHub } from '../../signal-server/index.ts'

const script = fileURLToPath(new URL('hub-process.mjs', import.meta.url))
const MiB = 1024 * 1024
const flatBytes = 16 * MiB
const warmUpBytes = 64 * MiB
const offeredBytes = 1024 * MiB
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
    await offer(one, warmUpBytes)
    await other.until(() => receivedBytes === warmUpBytes)
    const before = await memoryOf(hub)

    other.socket.pause()
    let most = 0
    const sentBytes = await offer(one, offeredBytes, async () => {
      most = Math.max(most, growth(before, await memoryOf(hub)))
    })
    expect(most).toBeLessThan(flatBytes)
    // The network of the sender and of the reader hold some megabytes each, and the hub a quarter of one.
    expect(sentBytes).toBeLessThan(offeredBytes / 8)

    other.socket.resume()
    await other.until(() => receivedBytes === warmUpBytes + sentBytes)
    expect(growth(before, await memoryOf(hub))).toBeLessThan(flatBytes)
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

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

async function memoryOf(hub: ChildProcess): Promise<Memory> {
  hub.send('measure')
  const [{ memory }] = (await once(hub, 'message')) as [{ memory: Memory }]
  return memory
}

/** By how much it grew: as the system sees it, or in what its own heap and buffers hold. */
function growth(before: Memory, now: Memory): number {
  return Math.max(now.rss - before.rss, now.heapUsed + now.external - before.heapUsed - before.external)
}
