import { mkdir, statfs } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { equalBytes } from '../../core/bytes.ts'
import { lookAt } from './leftovers.ts'
import { transferLimits } from './limits.ts'
import type { SkipCode } from './messages.ts'
import { areOfSameFile, readNotes, type Notes } from './notes.ts'
import { numbered, type Existing } from './partial-file.ts'
import { notesSuffix, partSuffix, safePath } from './safe-path.ts'
import { wholeMs } from './source-file.ts'
import type { TakenNames } from './taken-names.ts'

/** A file that is offered, as its sender says; the name is a stranger's. */
export interface OfferedFile {
  readonly name: string
  readonly size: number
  readonly modified: number
  readonly executable: boolean
}

/** Where a file that is offered goes, and from where on it is wanted. */
export type Placement = Place &
  (
    | Start
    | Resume
    /** A whole file at `standing` may be the one that is offered. `otherwise`: when it has other bytes. */
    | {
        readonly kind: 'compare'
        readonly offset: number
        readonly standing: string
        readonly otherwise: Start
      }
  )

interface Place {
  readonly file: OfferedFile
  /** Its name as it may be printed. */
  readonly label: string
  /** What it will be called. */
  readonly path: string
  readonly notes: Notes
}

type Start =
  | { readonly kind: 'skip'; readonly code: SkipCode; readonly why: string }
  /** `drops`: why what an earlier attempt left is of no use. */
  | { readonly kind: 'begin'; readonly offset: 0; readonly drops?: string }

/** The beginning is there. `isOthers`: from another sender, whose it stays if it is another beginning. */
interface Resume {
  readonly kind: 'resume'
  readonly offset: number
  readonly isOthers: boolean
}

/** The folder that files are received into: nothing is ever made outside it. */
export class Folder {
  readonly root: string
  readonly existing: Existing
  /** What is set in the mode of a file that may be executed: what this user's umask leaves of it. */
  readonly executeBits = 0o111 & ~readUmask()

  /** @param existing what to do where a name is taken */
  constructor(root: string, existing: Existing) {
    this.root = resolve(root)
    this.existing = existing
  }

  /** Makes the folder if need be. */
  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true })
  }

  /**
   * Looks where each of `files`, from the peer with this key, can go; makes nothing.
   *
   * @param taken names of the same offer, to which theirs come
   */
  async place(files: readonly OfferedFile[], from: Notes['from'], taken: TakenNames): Promise<Placement[]> {
    const placements: Placement[] = []
    for (const file of files) placements.push(await this.#place(file, from, taken))
    return placements
  }

  /** Makes a folder, where none is yet. @returns what keeps it from being made, if anything does */
  async makeFolder(parts: readonly string[], taken: TakenNames): Promise<string | undefined> {
    if (!taken.takeFolder(parts)) return 'a file of this offer has that name'
    const path = join(this.root, ...parts)
    const blocking = await this.#whatBlocks(path)
    if (blocking !== undefined) return `${blocking} is in the way`
    await mkdir(path, { recursive: true })
    return undefined
  }

  /** Bytes that can still be written here, less what is always left free. */
  async roomBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.root)
    return bavail * bsize - transferLimits.spareBytes
  }

  /** A path of a placement, for people. */
  nameOf(path: string): string {
    return relative(this.root, path).split(sep).join('/')
  }

  async #place(file: OfferedFile, from: Notes['from'], taken: TakenNames): Promise<Placement> {
    const parts = safePath(file.name)
    const [label, path] = [parts.join('/'), join(this.root, ...parts)]
    const { name, size, modified } = file
    const common = { file, label, path, notes: { from, name, size, modified } }
    const skip = (code: SkipCode, why: string): Placement => ({ ...common, kind: 'skip', code, why })
    if (!taken.takeFile(parts)) return skip('EXISTS', 'another file of this offer has that name')
    const blocking = await this.#whatBlocks(dirname(path))
    if (blocking !== undefined) return skip('BLOCKED', `${blocking} is in the way`)
    const standing = await this.#standing(path, file)
    if (standing.like !== undefined) {
      const otherwise = await this.#placeAnother(common)
      return { ...common, kind: 'compare', offset: file.size, standing: standing.like, otherwise }
    }
    if (standing.isTaken && this.existing === 'refuse') return skip('EXISTS', 'a file of that name is there')
    if (standing.isFolder && this.existing === 'overwrite') return skip('BLOCKED', 'a folder has that name')
    return { ...common, ...(await this.#findLeft(common)) }
  }

  /** Where it goes when the whole file that looked like it has other bytes. */
  async #placeAnother(place: Place): Promise<Start> {
    if (this.existing === 'refuse') {
      return { kind: 'skip', code: 'EXISTS', why: 'another file of that name is there' }
    }
    const left = await this.#findLeft(place)
    if (left.kind !== 'resume') return left
    if (left.isOthers && this.existing !== 'overwrite') return leftByAnother(place)
    return { kind: 'begin', offset: 0, drops: 'another file that looked like it was compared first' }
  }

  /** What an earlier attempt left under the name of the incomplete file, and whose it is. */
  async #findLeft(place: Place): Promise<Start | Resume> {
    const { path, label, notes } = place
    const inTheWay = (suffix: string) =>
      ({ kind: 'skip', code: 'BLOCKED', why: `${label}${suffix} is in the way` }) as const
    const part = await lookAt(path + partSuffix)
    const left = await readNotes(path + notesSuffix)
    if (part !== undefined && !part.isFile()) return inTheWay(partSuffix)
    if (left === null && (await lookAt(path + notesSuffix)) !== undefined) return inTheWay(notesSuffix)
    if (part === undefined) return { kind: 'begin', offset: 0 }
    // An empty one has nothing to lose, and may be of an attempt that was killed before it wrote its notes.
    if (left === null) return part.size === 0 ? { kind: 'begin', offset: 0 } : inTheWay(partSuffix)
    const isOthers = !equalBytes(left.from, notes.from)
    if (areOfSameFile(left, notes) && part.size <= notes.size) {
      return part.size === 0 ? { kind: 'begin', offset: 0 } : { kind: 'resume', offset: part.size, isOthers }
    }
    if (isOthers && this.existing !== 'overwrite') return leftByAnother(place)
    return { kind: 'begin', offset: 0, drops: 'the file has changed since the last attempt' }
  }

  /** The first of the folders down to `innermost` that is none, a link to one included. */
  async #whatBlocks(innermost: string): Promise<string | undefined> {
    const folders: string[] = []
    for (let folder = innermost; folder !== this.root; folder = dirname(folder)) folders.unshift(folder)
    for (const folder of folders) {
      const stats = await lookAt(folder)
      if (stats === undefined) return undefined
      if (!stats.isDirectory()) return this.nameOf(folder)
    }
    return undefined
  }

  /** What has the name already, and which file, of those that have it or would have been given it, looks like `file`. */
  async #standing(path: string, file: OfferedFile): Promise<Standing> {
    const first = await lookAt(path)
    if (first === undefined) return { isTaken: false, isFolder: false }
    const mostTries = this.existing === 'rename' ? transferLimits.renames : 1
    let [stats, at]: [Stats | undefined, string] = [first, path]
    for (let tries = 1; stats !== undefined; tries += 1) {
      if (looksLike(stats, file)) return { isTaken: true, isFolder: false, like: at }
      if (tries === mostTries) break
      at = numbered(path, tries)
      stats = await lookAt(at)
    }
    return { isTaken: true, isFolder: first.isDirectory() }
  }
}

interface Standing {
  readonly isTaken: boolean
  readonly isFolder: boolean
  readonly like?: string
}

function leftByAnother({ label }: Place): Start {
  return { kind: 'skip', code: 'BLOCKED', why: `${label}${partSuffix} is what another sender left` }
}

function readUmask(): number {
  // By setting it: who only asks for it has none for a moment, in which other threads may make files.
  const umask = process.umask(0o077)
  process.umask(umask)
  return umask
}

function looksLike(stats: Stats, { size, modified }: OfferedFile): boolean {
  const apartMs = Math.abs(wholeMs(stats.mtimeMs) - modified)
  return stats.isFile() && stats.size === size && apartMs <= transferLimits.modifiedToleranceMs
}
