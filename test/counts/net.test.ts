import { Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import MultiServer, { type Connection } from '../../core/multiserver.ts'
import net from '../../plugs/net.ts'
import unix from '../../plugs/unix.ts'
import type { Transport } from '../../core/types.ts'
import { countMemory } from './count-memory.ts'

/*
 * What a mebibyte over a bare socket costs, counted: beside Node's socket, nothing. Whoever makes one of these numbers
 * smaller lowers it here.
 */
const MiB = 1024 * 1024
const chunkBytes = 64 * 1024

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

it.each<[string, () => Transport]>([
  ['net', net],
  ['unix', unix],
])('a mebibyte over %s is written as it comes, and neither end copies or allocates', async (_name, plug) => {
  const { near, far } = await connect(plug())
  const written = watchWrites()
  const chunk = new Uint8Array(chunkBytes)
  let received = 0
  const allocated = await countMemory(async () => {
    const reading = (async () => {
      while (received < MiB) received += (await far.read())?.length ?? MiB
    })()
    for (let sent = 0; sent < MiB; sent += chunkBytes) await near.write(chunk)
    await reading
  })
  expect(received).toBe(MiB)
  // Two reads in a row of less than 1 KiB, should a socket ever cut so, are joined in a block of 16 KiB.
  expect(allocated).toBeLessThan(chunkBytes)
  expect(written()).toHaveLength(MiB / chunkBytes)
  expect(written().every((bytes) => bytes === chunk)).toBe(true)
})

it('a mebibyte in pieces of 1 KiB, each awaited, is written 64 KiB at a time but for the first', async () => {
  const { near, far } = await connect(net())
  const written = watchWrites()
  const reading = (async () => {
    for (let received = 0; received < MiB;) received += (await far.read())?.length ?? MiB
  })()
  const piece = new Uint8Array(1024)
  for (let sent = 0; sent < MiB; sent += piece.length) await near.write(piece)
  await reading
  expect(written().length).toBeLessThanOrEqual(MiB / chunkBytes + 2)
})

/** The bytes that sockets are given, write by write; text is for the terminal. */
function watchWrites(): () => Uint8Array[] {
  const write = vi.spyOn(Socket.prototype, 'write')
  cleanUps.push(() => write.mockRestore())
  return () => write.mock.calls.map(([given]) => given).filter((given) => given instanceof Uint8Array)
}

async function connect(transport: Transport): Promise<{ near: Connection; far: Connection }> {
  let arrived: (connection: Connection) => void = () => undefined
  const arriving = new Promise<Connection>((resolve) => (arrived = resolve))
  const server = MultiServer([[transport]])
  const close = server.server((connection) => arrived(connection))
  cleanUps.push(() => close())
  await close.listening
  const near = await server.client(server.stringify())
  const far = await arriving
  cleanUps.push(() => Promise.all([near.close(), far.close()]))
  return { near, far }
}
