import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TransferEvent } from '../../cli/transfer/events.ts'
import { Folder } from '../../cli/transfer/folder.ts'
import { FrameReader, messageFrame } from '../../cli/transfer/frames.ts'
import { receiveOver } from '../../cli/transfer/incoming.ts'
import {
  receiverCodec,
  senderCodec,
  type ReceiverMessage,
  type SenderMessage,
} from '../../cli/transfer/messages.ts'
import { sendOver } from '../../cli/transfer/outgoing.ts'
import { findSources } from '../../cli/transfer/source-files.ts'
import { startShell, temporaryFolder } from './command.ts'
import { connectPair } from './transfer-pair.ts'
import { startReceive, startSend } from './transfer-processes.ts'

const overNet = ['--net', '0', '--yes']

/** A folder with a program that anybody may write to, one that only its group may execute, a note, and empty folders. */
async function makeFolder(): Promise<string> {
  const folder = join(temporaryFolder(), 'tools')
  await mkdir(join(folder, 'empty', 'inner'), { recursive: true })
  await mkdir(join(folder, 'only links'))
  const modes = { program: 0o6777, 'for the group': 0o654, note: 0o666 }
  for (const [name, mode] of Object.entries(modes)) {
    await writeFile(join(folder, name), `#!/bin/sh\necho ${name}\n`)
    await chmod(join(folder, name), mode)
  }
  return folder
}

describe('a folder that is sent', () => {
  it('comes with its empty folders, and of the modes with what its owner may execute, within the umask', async () => {
    const source = await makeFolder()
    const inbox = temporaryFolder()
    const addressFile = join(temporaryFolder(), 'address')
    const receiver = startShell(
      `umask 027; multiserver receive '${inbox}' ${overNet.join(' ')} --address-file '${addressFile}'`,
    )
    await receiver.said(/Listening/)
    const sender = startSend(source, (await readFile(addressFile, 'utf8')).trim())
    expect((await sender.ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect((await readdir(inbox, { recursive: true })).toSorted()).toEqual([
      'tools',
      'tools/empty',
      'tools/empty/inner',
      'tools/for the group',
      'tools/note',
      'tools/only links',
      'tools/program',
    ])
    const modeOf = async (name: string) => (await stat(join(inbox, 'tools', name))).mode & 0o7777
    expect(await modeOf('program')).toBe(0o750)
    expect(await modeOf('for the group')).toBe(0o640)
    expect(await modeOf('note')).toBe(0o640)
    expect(await modeOf('empty')).toBe(0o750)
    expect(receiver.stdout()).not.toContain('empty')
  })

  it('comes without its links, and its sender says in one line how many, and why', async () => {
    const source = await makeFolder()
    await symlink('/etc/passwd', join(source, 'only links', 'a'))
    await symlink('..', join(source, 'only links', 'b'))
    await symlink('note', join(source, 'c'))
    const inbox = temporaryFolder()
    const receiver = startReceive(inbox, ...overNet)
    const { code, stderr } = await startSend(source, (await receiver.first('listening')).address).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/^Left out {2}3 links, .+ and 2 more: a link may lead out of the folder$/m)
    expect(stderr.match(/Left out/g)).toHaveLength(1)
    expect((await receiver.ended).code).toBe(0)
    expect(await readdir(join(inbox, 'tools', 'only links'))).toEqual([])
    expect(await readdir(join(inbox, 'tools'))).not.toContain('c')
  })

  it('meets what is there: a folder is left as it is, a file or a link is in the way, and both sides say so', async () => {
    const source = await makeFolder()
    const inbox = temporaryFolder()
    await mkdir(join(inbox, 'tools', 'only links'), { recursive: true })
    await writeFile(join(inbox, 'tools', 'only links', 'mine'), '')
    await symlink('..', join(inbox, 'tools', 'empty'))
    const receiver = startReceive(inbox, ...overNet, '--overwrite')
    const sender = startSend(source, (await receiver.first('listening')).address)
    expect((await sender.ended).code).toBe(1)
    expect((await receiver.ended).code).toBe(1)
    for (const side of [sender, receiver]) {
      expect(await side.first('skipped')).toMatchObject({ name: 'tools/empty/inner', code: 'BLOCKED' })
      expect(await side.first('finished')).toMatchObject({ done: 3, skipped: 1 })
    }
    expect(await receiver.first('made')).toMatchObject({ name: 'tools/only links' })
    expect(await readdir(join(inbox, 'tools', 'only links'))).toEqual(['mine'])
  })
})

describe('an older version', () => {
  it('that receives is sent the files, and the sender says that it makes no empty folders', async () => {
    const sources = await findSources([await makeFolder()], () => undefined)
    const [near, far] = connectPair()
    const events: TransferEvent[] = []
    const nothing = () => undefined
    const sending = sendOver(near, {
      sources,
      onFolderSkipped: nothing,
      onMoved: nothing,
      onSettled: nothing,
      report: (event) => events.push(event),
    })
    const say = (message: ReceiverMessage) => far.write(messageFrame(receiverCodec.encode(message)))
    const frames = new FrameReader(far, senderCodec)
    const types: string[] = []
    for (let heard = 0; heard <= sources.files.length; heard += 1) types.push((await frames.message()).type)
    // As it was before there were folders.
    void say({ type: 'accept' })
    for (const file of sources.files.keys()) void say({ type: 'skip', file, code: 'EXISTS', why: '' })
    expect(await frames.next()).toBeNull()
    await far.close()
    await sending
    expect(types).toEqual(['offer', 'file', 'file', 'file'])
    expect(events).toContainEqual(expect.objectContaining({ event: 'left-out', folders: 2 }))
  })

  it('that sends is served as ever: nothing that it brings can be executed', async () => {
    const inbox = temporaryFolder()
    const [near, far] = connectPair()
    const receiving = receiveOver(far, {
      folder: new Folder(inbox, 'refuse'),
      from: new Uint8Array(32),
      mostBytes: 1e6,
      consent: async () => true,
      report: () => undefined,
    })
    const say = (message: SenderMessage) => near.write(messageFrame(senderCodec.encode(message)))
    void say({ type: 'offer', version: 1, files: 1, bytes: 0 })
    void say({ type: 'file', name: 'x', size: 0, modified: 0 })
    void say({ type: 'end', file: 0, sha256: sha256OfNothing })
    await near.close()
    expect(await receiving).toMatchObject({ done: 1, skipped: 0 })
    expect((await stat(join(inbox, 'x'))).mode & 0o7111).toBe(0)
  })
})

const sha256OfNothing = Uint8Array.from(
  Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
)
