import { generateKeys, loadOrCreateKeys, type Keys } from '../plugs/keys.browser.ts'

export interface OwnKey {
  readonly keys: Keys
  /** What became of it, in words for the person at the page. */
  readonly note: string
}

/**
 * The key that this browser keeps, or one for this tab alone where it can not be had. Two tabs with the same key
 * would take each other's place at the hub, so the tab that has it holds a lock for as long as it lives.
 */
export async function loadOwnKey(): Promise<OwnKey> {
  // Absent on pages that did not come from this machine or over https, whatever the types say.
  const locks: LockManager | undefined = navigator.locks
  if (locks === undefined) {
    return forThisTab(
      'This browser has no Web Locks here, so nobody can tell whether another tab uses your key.',
    )
  }
  if (!(await holdLock(locks))) return forThisTab('Another tab uses the key that this browser keeps.')
  try {
    const keys = await loadOrCreateKeys(keyName)
    return { keys, note: 'Your key is kept in this browser, and never leaves it.' }
  } catch {
    return forThisTab('This browser does not let the page keep anything (IndexedDB).')
  }
}

async function forThisTab(why: string): Promise<OwnKey> {
  return {
    keys: await generateKeys(),
    note: `${why} This tab has made one of its own, which goes when you close it.`,
  }
}

/** Whether it was free; then it is held until the page is gone. */
function holdLock(locks: LockManager): Promise<boolean> {
  return new Promise((resolve) => {
    const held = locks.request(`multiserver key ${keyName}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null)
      return lock === null ? undefined : new Promise<never>(() => undefined)
    })
    held.catch(() => resolve(false))
  })
}

const keyName = 'demo'
