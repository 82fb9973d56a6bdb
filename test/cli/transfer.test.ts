import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generateKeys, keyToString, loadOrCreateKeys } from '../../plugs/keys.ts'
import { startHub } from '../../signal-server/index.ts'
import { makeFile, sha256Of, startReceive, startSend } from './transfer-processes.ts'
import { temporaryFolder } from './command.ts'

/** A folder with a file in it, and one to receive into. */
async function prepare(bytes = 100_000) {
  const folder = temporaryFolder()
  const [source, inbox] = [join(folder, 'source.bin'), join(folder, 'inbox')]
  return { folder, inbox, source, sha256: await makeFile(source, bytes) }
}

const overNet = ['--net', '0', '--yes']

describe('multiserver send and receive', () => {
  it('bring a folder through a hub: every file checked, with its time, and nothing beside it', async () => {
    const hub = await startHub({ port: 0 })
    try {
      const { folder, inbox, source, sha256 } = await prepare(3_000_000)
      const photos = join(folder, 'photos')
      await mkdir(join(photos, 'inner'), { recursive: true })
      const innerSha256 = await makeFile(join(photos, 'inner', 'a b ü.bin'), 70_000)
      await writeFile(join(photos, '.hidden'), 'dots do not hide')
      await writeFile(join(photos, 'empty'), '')
      await utimes(source, 1_000_000_000, 1_000_000_000)
      const receiver = startReceive(inbox, '--hub', hub.url, '--yes')
      const { address } = await receiver.first('listening')
      expect(address).toMatch(/^rtc:/)
      const sender = startSend(source, photos, address)
      expect((await sender.ended).code).toBe(0)
      expect((await receiver.ended).code).toBe(0)
      expect((await readdir(inbox, { recursive: true })).toSorted()).toEqual([
        'photos',
        'photos/_hidden',
        'photos/empty',
        'photos/inner',
        'photos/inner/a b ü.bin',
        'source.bin',
      ])
      expect(await sha256Of(join(inbox, 'source.bin'))).toBe(sha256)
      expect(await sha256Of(join(inbox, 'photos/inner/a b ü.bin'))).toBe(innerSha256)
      expect((await stat(join(inbox, 'source.bin'))).mtimeMs).toBe(1_000_000_000_000)
      const hashes = receiver.events.flatMap((event) => (event.event === 'done' ? [event.sha256] : []))
      expect(hashes).toEqual(sender.events.flatMap((event) => (event.event === 'done' ? [event.sha256] : [])))
      expect(hashes).toContain(sha256)
    } finally {
      await hub.close()
    }
  })

  it('replace nothing, move nothing twice, and rename or overwrite when told to', async () => {
    const { inbox, source, sha256 } = await prepare()
    await mkdir(inbox)
    const mine = join(inbox, 'source.bin')
    await writeFile(mine, 'mine')
    const refusing = startReceive(inbox, ...overNet)
    const refused = startSend(source, (await refusing.first('listening')).address)
    expect((await refused.ended).code).toBe(1)
    expect((await refusing.ended).code).toBe(1)
    expect(await refused.first('skipped')).toMatchObject({ name: 'source.bin', code: 'EXISTS' })
    expect(await readFile(mine, 'utf8')).toBe('mine')

    const renaming = startReceive(inbox, ...overNet, '--rename', '--keep')
    const { address } = await renaming.first('listening')
    expect((await startSend(source, address).ended).code).toBe(0)
    expect(await renaming.first('done')).toMatchObject({ name: 'source.bin', as: 'source (1).bin' })
    const again = startSend(source, address)
    expect((await again.ended).code).toBe(0)
    expect(await again.first('finished')).toMatchObject({ done: 1, moved: 0 })
    await renaming.kill()

    const overwriting = startReceive(inbox, ...overNet, '--overwrite')
    expect((await startSend(source, (await overwriting.first('listening')).address).ended).code).toBe(0)
    expect(await sha256Of(mine)).toBe(sha256)
    expect((await readdir(inbox)).toSorted()).toEqual(['source (1).bin', 'source.bin'])
  })

  it('let in only the keys that may come, who are not asked about, and no more than so many bytes', async () => {
    const { folder, inbox, source } = await prepare()
    const key = join(folder, 'sender.json')
    const { publicKey } = await loadOrCreateKeys(key)
    const receiver = startReceive(
      inbox,
      '--net',
      '0',
      '--allow',
      keyToString(publicKey),
      '--max-size',
      '99kB',
    )
    const { address } = await receiver.first('listening')
    const stranger = startSend(source, address)
    const tooLarge = startSend('--key', key, source, address)
    expect((await stranger.ended).code).toBe(4)
    expect((await tooLarge.ended).code).toBe(4)
    expect((await tooLarge.ended).stderr).toMatch(/TOO_LARGE.*99000/)
    const small = join(folder, 'small')
    await writeFile(small, 'fits')
    expect((await startSend('--key', key, small, address).ended).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(await readdir(inbox)).toEqual(['small'])
  })

  it('say at once what can not be', async () => {
    const { folder, source } = await prepare()
    await mkdir(join(folder, 'void'))
    const address = `net:127.0.0.1:1~shs2:${keyToString((await generateKeys()).publicKey)}`
    const results = [
      startReceive(join(folder, 'inbox'), '--net', '0'),
      startSend(source),
      startSend(join(folder, 'nothing'), address),
      startSend('-r', join(folder, 'void'), address),
      startSend(source, 'net:127.0.0.1:1'),
      startSend(source, address),
    ].map(async ({ ended }) => [(await ended).code, (await ended).stderr] as const)
    expect(await Promise.all(results)).toEqual([
      [2, expect.stringContaining('--yes')],
      [2, expect.stringContaining('no file, or no address')],
      [2, expect.stringContaining('ENOENT')],
      [2, expect.stringContaining('no files in what is to be sent')],
      [4, expect.stringContaining('DOWNGRADE_REFUSED')],
      [3, expect.stringContaining('CONNECT_FAILED')],
    ])
  })
})
