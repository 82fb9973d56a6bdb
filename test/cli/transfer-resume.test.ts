import { appendFile, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { startHeldProxy, type HeldProxy } from './held-proxy.ts'
import { makeFile, sha256Of, startReceive, startSend, type TransferProcess } from './transfer-processes.ts'
import { temporaryFolder } from './command.ts'

const MiB = 1024 * 1024
const fileBytes = 4 * MiB
const heldAfterBytes = 2 * MiB
/** The sender has not read all of it while it is held. */
const moreThanBuffersHold = 32 * MiB
/** What is at most on its way from the proxy to the disk: a frame that is not complete, what is encrypted around it, a chunk. */
const underWayBytes = MiB / 2

/** A transfer that is held in the middle, on its way through a proxy. */
interface Held {
  readonly folder: string
  readonly inbox: string
  readonly source: string
  readonly sha256: string
  readonly proxy: HeldProxy
  /** Through the proxy. */
  readonly address: string
  readonly receiveArgs: readonly string[]
  readonly receiver: TransferProcess
  readonly sender: TransferProcess
}

async function holdTransfer({ bytes = fileBytes, args = [] as readonly string[] } = {}): Promise<Held> {
  const folder = temporaryFolder()
  const [inbox, source] = [join(folder, 'inbox'), join(folder, 'source.bin')]
  const sha256 = await makeFile(source, bytes)
  await utimes(source, madeAt, madeAt)
  const receiveArgs = ['--net', '0', '--yes', '--key', join(folder, 'receiver.json'), ...args]
  const receiver = startReceive(inbox, ...receiveArgs)
  const { address } = await receiver.first('listening')
  const proxy = await startHeldProxy(portOf(address), heldAfterBytes)
  const throughProxy = address.replace(`:${portOf(address)}~`, `:${proxy.port}~`)
  const sender = startSend(source, throughProxy)
  await proxy.held
  const held = { folder, inbox, source, sha256, proxy, address: throughProxy, receiveArgs, receiver, sender }
  await vi.waitFor(
    async () => expect(await partBytes(held)).toBeGreaterThan(heldAfterBytes - underWayBytes),
    patience,
  )
  return held
}

/** Seconds since 1970: a time that every file system keeps as it is. */
const madeAt = 1_000_000_000
const patience = { timeout: 30_000 }

function portOf(address: string): number {
  return Number(/^net:.*:(\d+)~/.exec(address)?.[1])
}

async function expectWhole({ inbox, sha256 }: Held): Promise<void> {
  expect(await readdir(inbox)).toEqual(['source.bin'])
  expect(await sha256Of(join(inbox, 'source.bin'))).toBe(sha256)
}

/** It is whole, and what went over the wire twice is what was on its way. */
async function expectResumed(held: Held): Promise<void> {
  await expectWhole(held)
  expect(held.proxy.passed).toBeGreaterThan(fileBytes)
  expect(held.proxy.passed).toBeLessThan(fileBytes + underWayBytes)
}

async function partBytes({ inbox }: Held): Promise<number> {
  return (await stat(join(inbox, 'source.bin.part'))).size
}

describe('a transfer that is cut in the middle', () => {
  it('goes on by itself where it was when the connection breaks', async () => {
    const held = await holdTransfer()
    held.proxy.cut()
    expect((await held.sender.ended).code).toBe(0)
    expect((await held.receiver.ended).code).toBe(0)
    await expectResumed(held)
    expect(held.sender.events.filter(({ event }) => event === 'lost')).toHaveLength(1)
  })

  it('goes on where it was when the sender was killed and is started by hand', async () => {
    const held = await holdTransfer()
    await held.sender.kill()
    held.proxy.cut()
    await held.receiver.first('lost')
    const there = await partBytes(held)
    const again = startSend(held.source, held.address)
    expect((await again.ended).code).toBe(0)
    expect(await again.first('started')).toMatchObject({ from: there })
    expect((await held.receiver.ended).code).toBe(0)
    await expectResumed(held)
  })

  it('goes on where it was when the receiver was killed and is started by hand', async () => {
    const held = await holdTransfer()
    await held.receiver.kill()
    const there = await partBytes(held)
    const receiver = startReceive(held.inbox, ...held.receiveArgs)
    held.proxy.target = portOf((await receiver.first('listening')).address)
    held.proxy.cut()
    expect((await held.sender.ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(await receiver.first('started')).toMatchObject({ from: there })
    await expectResumed(held)
  })

  it('is taken over by the same sender, although the receiver has not noticed that the first connection is dead', async () => {
    const folder = temporaryFolder()
    const key = ['--key', join(folder, 'sender.json')]
    const inbox = join(folder, 'inbox')
    await makeFile(join(folder, 'source.bin'), fileBytes)
    const receiver = startReceive(inbox, '--net', '0', '--yes')
    const { address } = await receiver.first('listening')
    const proxy = await startHeldProxy(portOf(address), heldAfterBytes)
    const first = startSend(
      join(folder, 'source.bin'),
      address.replace(`:${portOf(address)}~`, `:${proxy.port}~`),
      ...key,
    )
    await proxy.held
    const second = startSend(join(folder, 'source.bin'), address, ...key)
    expect((await second.ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(first.events.some(({ event }) => event === 'finished')).toBe(false)
  })

  it('makes another sender wait', async () => {
    const held = await holdTransfer({ args: ['--keep'] })
    const other = startSend(
      held.source,
      held.address.replace(`:${held.proxy.port}~`, `:${held.proxy.target}~`),
    )
    expect((await other.first('lost')).why).toContain('another transfer is under way')
    held.proxy.release()
    expect((await held.sender.ended).code).toBe(0)
    expect((await other.ended).code).toBe(0)
    expect(await other.first('finished')).toMatchObject({ done: 1, moved: 0 })
  })
})

describe('a file that is not what it was at the last attempt', () => {
  it('is sent from its first byte when its time tells so', async () => {
    const held = await holdTransfer()
    await held.sender.kill()
    held.proxy.cut()
    await held.receiver.first('lost')
    await appendFile(held.source, 'more')
    const again = startSend(held.source, held.address, '--key', join(held.folder, 'sender.json'))
    // Another key, and bytes that are no beginning of this file: what is there is not theirs to drop.
    expect((await again.ended).code).toBe(1)
    expect(await again.first('skipped')).toMatchObject({ code: 'BLOCKED' })
    expect(await partBytes(held)).toBeGreaterThan(0)
    expect((await held.receiver.ended).code).toBe(1)
    const receiver = startReceive(held.inbox, ...held.receiveArgs, '--overwrite')
    held.proxy.target = portOf((await receiver.first('listening')).address)
    const last = startSend(held.source, held.address)
    expect((await last.ended).code).toBe(0)
    expect(await receiver.first('restarted')).toMatchObject({ name: 'source.bin' })
    expect(await last.first('finished')).toMatchObject({ moved: fileBytes + 4 })
    await expectWhole({ ...held, sha256: await sha256Of(held.source) })
  })

  it('is sent from its first byte when only its bytes tell so', async () => {
    const held = await holdTransfer()
    await held.sender.kill()
    held.proxy.cut()
    await held.receiver.first('lost')
    const file = await open(held.source, 'r+')
    await file.write(Buffer.from('other bytes'), 0, 11, 1000)
    await file.close()
    await utimes(held.source, madeAt, madeAt)
    await writeFile(join(held.inbox, 'unrelated.part'), 'stays')
    // The notes say who left it: the same key may begin anew.
    const receiver = await restartAsOverwriting(held)
    const again = startSend(held.source, held.address)
    expect((await again.ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(await again.first('restarted')).toMatchObject({ name: 'source.bin' })
    expect(await again.first('finished')).toMatchObject({ moved: fileBytes })
    expect(await sha256Of(join(held.inbox, 'source.bin'))).toBe(await sha256Of(held.source))
    expect(await readFile(join(held.inbox, 'unrelated.part'), 'utf8')).toBe('stays')
  })

  it('is given up when it changes while it is sent, and nothing of it is left', async () => {
    const held = await holdTransfer({ bytes: moreThanBuffersHold })
    await appendFile(held.source, 'more')
    held.proxy.release()
    const { code, stderr } = await held.sender.ended
    expect(code).toBe(1)
    expect(stderr).toContain('1 of 1 files did not get through')
    expect(await held.sender.first('skipped')).toMatchObject({ code: 'CHANGED' })
    expect((await held.receiver.ended).code).toBe(1)
    expect(await readdir(held.inbox)).toEqual([])
  })

  it('is sent from its first byte when what was received has rotted', async () => {
    const held = await holdTransfer()
    await held.sender.kill()
    held.proxy.cut()
    await held.receiver.first('lost')
    const part = await open(join(held.inbox, 'source.bin.part'), 'r+')
    await part.write(Buffer.from('rotten'), 0, 6, 500)
    await part.close()
    const receiver = await restartAsOverwriting(held)
    const again = startSend(held.source, held.address)
    expect((await again.ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(await receiver.first('restarted')).toMatchObject({ name: 'source.bin' })
    await expectWhole(held)
  })
})

async function restartAsOverwriting(held: Held): Promise<TransferProcess> {
  await held.receiver.kill()
  const receiver = startReceive(held.inbox, ...held.receiveArgs, '--overwrite')
  held.proxy.target = portOf((await receiver.first('listening')).address)
  return receiver
}
