import { constants, type Stats } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { transferLimits } from './limits.ts'
import { type SourceFile, wholeMs } from './source-file.ts'
import { reasonOf, TransferError } from './transfer-error.ts'

/** What is sent, each thing under its own name or under that of the folder that was given, in the order of the names. */
export interface Sources {
  readonly files: readonly SourceFile[]
  /** Names of folders in which there is nothing to send. */
  readonly emptyFolders: readonly string[]
}

/** What is in a folder and is not sent. A link may lead anywhere: out of the folder, or round in a circle. */
export type LeftOut = 'link' | 'special'

/** @throws TransferError NO_FILES, TOO_MANY */
export async function findSources(
  paths: readonly string[],
  onLeftOut: (path: string, what: LeftOut) => void,
): Promise<Sources> {
  const files: SourceFile[] = []
  const emptyFolders: string[] = []
  for (const path of paths) {
    for await (const found of findAt(path, onLeftOut)) {
      if (typeof found === 'string') emptyFolders.push(found)
      else files.push(found)
      if (files.length + emptyFolders.length > transferLimits.files) throw tooMany()
    }
  }
  if (files.length === 0) throw new TransferError('NO_FILES', 'there are no files in what is to be sent')
  checkNames([...files.map(({ name }) => name), ...emptyFolders])
  return {
    files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    emptyFolders: emptyFolders.toSorted(),
  }
}

/** A file, or the name of a folder with nothing in it. */
type Found = SourceFile | string

async function* findAt(path: string, onLeftOut: OnLeftOut): AsyncGenerator<Found, void, undefined> {
  const name = basename(resolve(path))
  const stats = await stat(path).catch(unsendable(path))
  if (stats.isFile()) yield sourceFile(path, name, stats)
  else if (stats.isDirectory()) yield* findIn(path, name, onLeftOut)
  else throw new TransferError('NO_FILES', `${path} is no file`)
}

type OnLeftOut = Parameters<typeof findSources>[1]

async function* findIn(
  folder: string,
  name: string,
  onLeftOut: OnLeftOut,
): AsyncGenerator<Found, void, undefined> {
  if (name.split('/').length >= transferLimits.nameParts) {
    throw new TransferError('NO_FILES', `${folder} lies too deep to be sent`)
  }
  let isEmpty = true
  for await (const entry of await opendir(folder).catch(unsendable(folder))) {
    const path = join(folder, entry.name)
    const inner = `${name}/${entry.name}`
    if (!entry.isDirectory() && !entry.isFile()) {
      onLeftOut(path, entry.isSymbolicLink() ? 'link' : 'special')
      continue
    }
    isEmpty = false
    if (entry.isDirectory()) yield* findIn(path, inner, onLeftOut)
    else yield sourceFile(path, inner, await stat(path).catch(unsendable(path)))
  }
  if (isEmpty) yield checkedName(folder, name)
}

function sourceFile(path: string, name: string, { size, mtimeMs, mode }: Stats): SourceFile {
  return {
    path,
    name: checkedName(path, name),
    size,
    modified: wholeMs(mtimeMs),
    executable: (mode & constants.S_IXUSR) !== 0,
  }
}

function checkedName(path: string, name: string): string {
  if (name.length <= transferLimits.nameCharacters) return name
  throw new TransferError('NO_FILES', `the name of ${path} is too long to be sent`)
}

function checkNames(names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw new TransferError('NO_FILES', `two files would have the name ${name}`)
    seen.add(name)
  }
  const characters = names.reduce((sum, name) => sum + name.length, 0)
  if (characters > transferLimits.namesCharacters) throw tooMany()
}

function unsendable(path: string): (thrown: unknown) => never {
  return (thrown) => {
    throw new TransferError('NO_FILES', `${path} can not be sent: ${reasonOf(thrown)}`, thrown)
  }
}

function tooMany(): TransferError {
  const most = transferLimits.files.toLocaleString('en')
  return new TransferError(
    'TOO_MANY',
    `more than ${most} files, or too long names: pack them, with tar for example`,
  )
}
