import { sameName } from './safe-path.ts'

/** The names of one offer, files and folders, as any file system might compare them. */
export class TakenNames {
  readonly #files = new Set<string>()
  readonly #folders = new Set<string>()

  /** False when the name is one that another file has, or has a folder for. */
  takeFile(parts: readonly string[]): boolean {
    const name = sameName(parts)
    if (this.#files.has(name) || this.#folders.has(name)) return false
    if (!this.takeFolder(parts.slice(0, -1))) return false
    this.#files.add(name)
    return true
  }

  /** False when a file has the name, or that of a folder around it. */
  takeFolder(parts: readonly string[]): boolean {
    const folders = parts.map((_part, index) => sameName(parts.slice(0, index + 1)))
    if (folders.some((folder) => this.#files.has(folder))) return false
    for (const folder of folders) this.#folders.add(folder)
    return true
  }
}
