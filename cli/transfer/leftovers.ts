import { lstat, rm } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { basename } from 'node:path'
import { equalBytes } from '../../core/bytes.ts'
import { areOfSameFile, readNotes, type Notes } from './notes.ts'
import { notesSuffix, partSuffix } from './safe-path.ts'
import { Refusal, systemCode } from './transfer-error.ts'

/** What an attempt left that stopped between the two names of a complete file; what is of any other file or sender stays. */
export async function removeLeftovers(path: string, notes: Notes): Promise<void> {
  const left = await readNotes(path + notesSuffix)
  const isOurs = left !== null && equalBytes(left.from, notes.from)
  if (isOurs && areOfSameFile(left, notes)) await removeTraces(path)
}

/**
 * Drops what may be dropped: of the same sender, or with `dropsOthers` of any. Placing the file has come to the same, but
 * people are asked after that, and other files may have to be received before this one.
 *
 * @throws Refusal FAILED when what has one of the two names is nobody's to drop
 */
export async function dropLeft(path: string, notes: Notes, dropsOthers: boolean): Promise<void> {
  const left = await readNotes(path + notesSuffix)
  const isDroppable = left !== null && (dropsOthers || equalBytes(left.from, notes.from))
  if (!isDroppable && !(await isFreeOrEmpty(path + partSuffix))) throw cameUp(path + partSuffix)
  if (left === null && (await isTaken(path + notesSuffix))) throw cameUp(path + notesSuffix)
  await rm(path + partSuffix, { force: true })
}

/** Whether nothing is lost when a file of that name is dropped. */
async function isFreeOrEmpty(path: string): Promise<boolean> {
  const stats = await lookAt(path)
  return stats === undefined || (stats.isFile() && stats.size === 0)
}

function cameUp(path: string): Refusal {
  return new Refusal('FAILED', `${basename(path)} has come up meanwhile, and is in the way`)
}

/** The notes last: bytes without notes belong to nobody. */
export async function removeTraces(path: string): Promise<void> {
  await rm(path + partSuffix, { force: true })
  await rm(path + notesSuffix, { force: true })
}

export async function isTaken(path: string): Promise<boolean> {
  return (await lookAt(path)) !== undefined
}

/** What is at `path` itself, a link not followed; undefined when nothing is. */
export async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
