import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { generateKeys, loadOrCreateKeys, type Keys } from '../plugs/keys.ts'

/** Where `keygen` puts the key of this user, and where commands that dial look for it. */
export function defaultKeyFile(): string {
  const { XDG_CONFIG_HOME: folder = '' } = process.env
  return join(folder === '' ? join(homedir(), '.config') : folder, 'multiserver', 'key.json')
}

/**
 * Who dials: the key of `file`, made when it is not there; without one that of this user, where `keygen` has made it,
 * else a new one for this run.
 */
export async function keysForDialing(file: string | undefined): Promise<Keys> {
  if (file !== undefined) return loadOrCreateKeys(file)
  const own = defaultKeyFile()
  return (await isThere(own)) ? loadOrCreateKeys(own) : generateKeys()
}

/**
 * Who listens: the key of `file`, made when it is not there, else a new one for this run. Never that of the user by
 * itself: two processes with one key take each other's place at the hub.
 */
export async function keysForListening(file: string | undefined): Promise<Keys> {
  return file === undefined ? generateKeys() : loadOrCreateKeys(file)
}

export async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
