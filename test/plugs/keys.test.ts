import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { generateKeys, keysFromSeed, keyToString, loadOrCreateKeys, parseKeys } from '../../plugs/keys.ts'

// RFC 8032, section 7.1, test 1.
const seed = Uint8Array.from(
  Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'),
)
const publicKey = Uint8Array.from(
  Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex'),
)

describe('keys', () => {
  it('come from a seed as RFC 8032 says', async () => {
    const keys = await keysFromSeed(seed)
    expect(keys.publicKey).toEqual(publicKey)
    expect(keys.secretKey).toEqual(Uint8Array.of(...seed, ...publicKey))
    await expect(keysFromSeed(new Uint8Array(31))).rejects.toMatchObject({ code: 'KEYS_INVALID' })
  })

  it('are different each time they are generated', async () => {
    const [one, two] = [await generateKeys(), await generateKeys()]
    expect(one.publicKey).not.toEqual(two.publicKey)
    expect(parseKeys(one)).toEqual(one)
  })

  it('print as base64 with padding', async () => {
    expect(keyToString(publicKey)).toBe(Buffer.from(publicKey).toString('base64'))
  })

  it('parse from Buffers and from the JSON of ssb-keys', async () => {
    const keys = await keysFromSeed(seed)
    expect(parseKeys({ publicKey: Buffer.from(publicKey), secretKey: Buffer.from(keys.secretKey) })).toEqual(
      keys,
    )
    const json = {
      curve: 'ed25519',
      public: `${keyToString(publicKey)}.ed25519`,
      private: `${keyToString(keys.secretKey)}.ed25519`,
      id: `@${keyToString(publicKey)}.ed25519`,
    }
    expect(parseKeys(json)).toEqual(keys)
  })
})

describe('loadOrCreateKeys', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'multiserver-keys-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('makes a file that only its owner reads, and the folders above it', async () => {
    const file = join(folder, 'a', 'b', 'secret')
    const keys = await loadOrCreateKeys(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['secret'])
    expect(await loadOrCreateKeys(file)).toEqual(keys)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      curve: 'ed25519',
      id: `@${keyToString(keys.publicKey)}.ed25519`,
    })
  })

  it('gives the same keys to all who race for them', async () => {
    const file = join(folder, 'secret')
    const all = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKeys(file)))
    expect(new Set(all.map((keys) => keyToString(keys.publicKey))).size).toBe(1)
    expect(await readdir(folder)).toEqual(['secret'])
  })

  it('reads a file of ssb-keys with its comments', async () => {
    const keys = await keysFromSeed(seed)
    const file = join(folder, 'secret')
    const json = `{\n  "curve": "ed25519",\n  "public": "${keyToString(publicKey)}.ed25519",\n  "private": "${keyToString(keys.secretKey)}.ed25519",\n  "id": "@${keyToString(publicKey)}.ed25519"\n}`
    await writeFile(
      file,
      `# this is your SECRET name.\n#\n  # never show it to anyone\n\n${json}\n\n# the end\n`,
    )
    expect(await loadOrCreateKeys(file)).toEqual(keys)
  })

  it('never overwrites a file that it does not understand', async () => {
    const file = join(folder, 'secret')
    for (const text of ['', '{', 'null', '{"public":"x"}', '[]', '7']) {
      await writeFile(file, text)
      await expect(loadOrCreateKeys(file)).rejects.toMatchObject({
        code: 'KEYS_INVALID',
        message: expect.stringContaining(file),
      })
      expect(await readFile(file, 'utf8')).toBe(text)
    }
  })

  it('says KEYS_INVALID of a symbolic link that leads nowhere, and makes nothing', async () => {
    const file = join(folder, 'secret')
    await symlink(join(folder, 'gone'), file)
    await expect(loadOrCreateKeys(file)).rejects.toMatchObject({
      code: 'KEYS_INVALID',
      message: expect.stringContaining(file),
    })
    expect(await readdir(folder)).toEqual(['secret'])
  })

  it('reports a folder that it may not write to', async () => {
    await writeFile(join(folder, 'file'), '')
    await chmod(join(folder, 'file'), 0o600)
    await expect(loadOrCreateKeys(join(folder, 'file', 'secret'))).rejects.toThrow(/ENOTDIR/)
  })
})
