import { toSsbKeys } from '../../plugs/key-pair.ts'
import {
  generateKeys,
  loadOrCreateKeys,
  saveKeys,
  type Keys,
  type SsbKeys,
} from '../../plugs/keys.browser.ts'

export interface OwnKey {
  readonly keys: Keys
  /** What became of it, in words for the person at the page. */
  readonly note: string
  /** Whether this browser keeps it, so that another one can be put in its place. */
  readonly isKept: boolean
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
    return { keys, note: 'Your key is kept in this browser, and never leaves it.', isKept: true }
  } catch {
    return forThisTab('This browser does not let the page keep anything (IndexedDB).')
  }
}

/** As a file that ssb-keys reads too. Who has it is you. */
export function keyFile({ keys }: OwnKey): Blob {
  return new Blob([`${JSON.stringify(toSsbKeys(keys), null, 2)}\n`], { type: 'application/json' })
}

/** Puts the key of such a file in the place of the one that this browser keeps. @throws when it is none */
export async function importKey(file: Blob): Promise<void> {
  if (file.size > mostFileBytes) throw new Error('That is too large to be a key.')
  let read: unknown
  try {
    // Comments are part of the format.
    read = JSON.parse((await file.text()).replace(/^\s*#.*$/gm, ''))
  } catch {
    throw new Error('That is not a file with a key.')
  }
  await saveKeys(keyName, read as SsbKeys).catch(() => {
    throw new Error('There is no whole Ed25519 key in that file, or this browser keeps nothing.')
  })
}

async function forThisTab(why: string): Promise<OwnKey> {
  return {
    keys: await generateKeys(),
    note: `${why} This tab has made one of its own, which goes when you close it.`,
    isKept: false,
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
const mostFileBytes = 64 * 1024
