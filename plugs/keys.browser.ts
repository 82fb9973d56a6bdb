import { generateKeys, parseKeys, type Keys, type KeysInput } from './key-pair.ts'

export { generateKeys, keysFromSeed, keyToString, parseKeys } from './key-pair.ts'
export type { Keys, KeysInput, SsbKeys } from './key-pair.ts'

/**
 * The keys kept under `name` in this origin's IndexedDB, database `multiserver`, made when there are none. Tabs
 * that race for them all get the same. Anyone who can run a script in this origin can read them.
 */
export async function loadOrCreateKeys(name: string): Promise<Keys> {
  // Made first: a transaction that waits for anything but the database ends by itself.
  const fresh = await generateKeys()
  const database = await openDatabase()
  try {
    return parseKeys(await getOrPut(database, name, fresh))
  } finally {
    database.close()
  }
}

/** Puts `keys` in the place of those kept under `name`, which are gone then: for keys that come from elsewhere. */
export async function saveKeys(name: string, keys: KeysInput): Promise<void> {
  const { publicKey, secretKey } = parseKeys(keys)
  const database = await openDatabase()
  try {
    await settled(
      database.transaction('keys', 'readwrite').objectStore('keys').put({ publicKey, secretKey }, name),
    )
  } finally {
    database.close()
  }
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('multiserver', 1)
  request.onupgradeneeded = () => request.result.createObjectStore('keys')
  return settled(request)
}

async function getOrPut(database: IDBDatabase, name: string, fresh: Keys): Promise<KeysInput> {
  const transaction = database.transaction('keys', 'readwrite')
  const done = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })
  const store = transaction.objectStore('keys')
  const existing = (await settled(store.get(name))) as KeysInput | undefined
  if (existing === undefined) store.put(fresh, name)
  await done
  return existing ?? fresh
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
