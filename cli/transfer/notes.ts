import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { decodeBy, encodeBy, type MessageOf } from '../../core/hub-protocol.ts'
import { bytes, whole } from '../../core/hub-fields.ts'
import { transferLimits } from './limits.ts'
import { rawName } from './messages.ts'
import { systemCode } from './transfer-error.ts'

/** What an incomplete file says about itself in the file beside it: which bytes it is the beginning of, and who sends them. */
export type Notes = Omit<MessageOf<typeof table>, 'type'>

const table = {
  'incomplete file': {
    from: bytes(32),
    name: rawName,
    size: whole(transferLimits.fileBytes),
    modified: whole(transferLimits.latestMs),
  },
}

/** Null when there are none, or none that can be read. */
export async function readNotes(path: string): Promise<Notes | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
  const decoded = decodeBy(table, text)
  return decoded.kind === 'message' ? decoded.message : null
}

/** Whether both are about the same file in the same state. */
export function areOfSameFile(a: Omit<Notes, 'from'>, b: Omit<Notes, 'from'>): boolean {
  return a.name === b.name && a.size === b.size && a.modified === b.modified
}

/** All of them or nothing, whenever the machine stops. */
export async function writeNotes(path: string, notes: Notes): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 3)}`
  try {
    await writeFile(temporary, `${encodeBy(table, { type: 'incomplete file', ...notes })}\n`, {
      flag: 'wx',
      flush: true,
    })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
