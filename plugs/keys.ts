import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MultiserverError } from '../core/errors.ts'
import { generateKeys, parseKeys, toSsbKeys, type Keys, type KeysInput } from './key-pair.ts'

export { generateKeys, keysFromSeed, keyToString, parseKeys } from './key-pair.ts'
export type { Keys, KeysInput, SsbKeys } from './key-pair.ts'

/**
 * The keys in `file`, which is made, mode 0600, with the folders above it, when there is none. Processes that
 * race for it all get the same keys. It is the JSON of ssb-keys; lines that begin with `#` are comments.
 *
 * @throws KEYS_INVALID for a file that holds something else: it is never overwritten
 */
export async function loadOrCreateKeys(file: string): Promise<Keys> {
  const existing = await readKeys(file)
  if (existing !== null) return existing
  const keys = await generateKeys()
  await mkdir(dirname(file), { recursive: true })
  const isOurs = await createFile(file, `${JSON.stringify(toSsbKeys(keys), null, 2)}\n`)
  if (isOurs) return keys
  const theirs = await readKeys(file)
  if (theirs === null) throw new MultiserverError('KEYS_INVALID', `${file} is there and can not be read`)
  return theirs
}

async function readKeys(file: string): Promise<Keys | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
  const json = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
  try {
    return parseKeys(JSON.parse(json) as KeysInput)
  } catch (cause) {
    throw new MultiserverError('KEYS_INVALID', `${file} does not hold keys`, { cause })
  }
}

/** All of it or nothing, and false when somebody else was first. */
async function createFile(file: string, text: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}`
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx', flush: true })
    await linkOrCopy(temporary, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Unlike a rename, a link fails when the name is taken. Some file systems have no links; a copy is not atomic there. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw error
    await copyFile(from, to, constants.COPYFILE_EXCL)
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
