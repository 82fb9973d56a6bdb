import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file of each kind: empty, small, and larger than what any buffer holds. */
export function makeTree(folder: string): void {
  mkdirSync(join(folder, 'a', 'b'), { recursive: true })
  writeFileSync(join(folder, 'empty'), '')
  writeFileSync(join(folder, 'a', 'small'), 'text')
  writeFileSync(join(folder, 'a', 'b', 'large'), randomBytes(9_000_001))
}

/** Of all files with their names. */
export function checksum(folder: string): string {
  const names = execFileSync('find', ['.', '-type', 'f'], { cwd: folder, encoding: 'utf8' })
    .trim()
    .split('\n')
  const hash = createHash('sha256')
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(join(folder, name)))
  return hash.digest('hex')
}
