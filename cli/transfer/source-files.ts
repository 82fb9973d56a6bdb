import { opendir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { transferLimits } from './limits.ts'
import { type SourceFile, wholeMs } from './source-file.ts'
import { reasonOf, TransferError } from './transfer-error.ts'

/** Hears of what is in a folder and is not sent: links, sockets, devices, folders without anything in them. */
export type OnSkip = (path: string, why: string) => void

/**
 * The files that are meant by `paths`, in the order of their names, each under its own name or under that of the folder
 * that was given.
 *
 * @throws TransferError NO_FILES, TOO_MANY
 */
export async function findSourceFiles(
  paths: readonly string[],
  onSkip: OnSkip,
): Promise<readonly SourceFile[]> {
  const found: SourceFile[] = []
  for (const path of paths) {
    for await (const file of filesAt(path, onSkip)) {
      found.push(file)
      if (found.length > transferLimits.files) throw tooMany()
    }
  }
  if (found.length === 0) throw new TransferError('NO_FILES', 'there are no files in what is to be sent')
  const names = new Set<string>()
  for (const { name } of found) {
    if (names.has(name)) throw new TransferError('NO_FILES', `two files would have the name ${name}`)
    names.add(name)
  }
  const characters = found.reduce((sum, { name }) => sum + name.length, 0)
  if (characters > transferLimits.namesCharacters) throw tooMany()
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function* filesAt(path: string, onSkip: OnSkip): AsyncGenerator<SourceFile, void, undefined> {
  const name = basename(resolve(path))
  const stats = await stat(path).catch(unsendable(path))
  if (stats.isFile()) yield sourceFile(path, name, stats)
  else if (stats.isDirectory()) yield* filesIn(path, name, onSkip)
  else throw new TransferError('NO_FILES', `${path} is no file`)
}

async function* filesIn(
  folder: string,
  name: string,
  onSkip: OnSkip,
): AsyncGenerator<SourceFile, void, undefined> {
  if (name.split('/').length >= transferLimits.nameParts) {
    throw new TransferError('NO_FILES', `${folder} lies too deep to be sent`)
  }
  let isEmpty = true
  for await (const entry of await opendir(folder).catch(unsendable(folder))) {
    isEmpty = false
    const path = join(folder, entry.name)
    const inner = `${name}/${entry.name}`
    if (entry.isDirectory()) yield* filesIn(path, inner, onSkip)
    else if (entry.isFile()) yield sourceFile(path, inner, await stat(path).catch(unsendable(path)))
    // A link may lead anywhere: out of the folder, or round in a circle.
    else onSkip(path, entry.isSymbolicLink() ? 'it is a link' : 'it is no file')
  }
  if (isEmpty) onSkip(folder, 'there is nothing in it')
}

function sourceFile(path: string, name: string, stats: { size: number; mtimeMs: number }): SourceFile {
  if (name.length > transferLimits.nameCharacters) {
    throw new TransferError('NO_FILES', `the name of ${path} is too long to be sent`)
  }
  return { path, name, size: stats.size, modified: wholeMs(stats.mtimeMs) }
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
