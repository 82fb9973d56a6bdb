import { afterEach, describe, expect, it } from 'vitest'
import { generateKeys, keyToString, loadOrCreateKeys, parseKeys, saveKeys } from '../../plugs/keys.browser.ts'

afterEach(async () => {
  const request = indexedDB.deleteDatabase('multiserver')
  await new Promise<void>((resolve, reject) => {
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
    // A connection that was left open would keep it.
    request.onblocked = () => reject(new Error('the database is still open'))
  })
})

describe('loadOrCreateKeys in a browser', () => {
  it('keeps the keys under their name', async () => {
    const keys = await loadOrCreateKeys('one')
    expect(parseKeys(keys)).toEqual(keys)
    expect(await loadOrCreateKeys('one')).toEqual(keys)
    expect(await loadOrCreateKeys('two')).not.toEqual(keys)
  })

  it('gives the same keys to all who race for them', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => loadOrCreateKeys('raced for')))
    expect(new Set(all.map((keys) => keyToString(keys.secretKey))).size).toBe(1)
  })

  it('refuses what is kept and is no pair of keys', async () => {
    await loadOrCreateKeys('one')
    await put('broken', { publicKey: 'x' })
    await expect(loadOrCreateKeys('broken')).rejects.toMatchObject({ code: 'KEYS_INVALID' })
  })
})

describe('saveKeys in a browser', () => {
  it('puts keys in the place of those that were kept, and refuses what is no pair of keys', async () => {
    const [before, other] = [await loadOrCreateKeys('one'), await generateKeys()]
    await saveKeys('one', other)
    expect(await loadOrCreateKeys('one')).toEqual(other)
    const mixed = { publicKey: before.publicKey, secretKey: other.secretKey }
    await expect(saveKeys('one', mixed)).rejects.toMatchObject({ code: 'KEYS_INVALID' })
    expect(await loadOrCreateKeys('one')).toEqual(other)
  })
})

async function put(name: string, value: unknown): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('multiserver', 1)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const transaction = database.transaction('keys', 'readwrite')
  transaction.objectStore('keys').put(value, name)
  await new Promise((resolve) => (transaction.oncomplete = resolve))
  database.close()
}
