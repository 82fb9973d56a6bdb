import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The package as others get it, in a folder that has nothing else. */
export interface Installed {
  readonly folder: string
  /** In the tarball. */
  readonly files: readonly string[]
  /** What npm has said on stderr. */
  readonly warnings: string
  remove(): Promise<void>
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

/**
 * Packs what is built, and installs that. The versions are those of this package's lock, whose tarballs npm has kept:
 * whether the registry has something newer today, or can be reached, is another matter.
 */
export async function installPackage(): Promise<Installed> {
  const folder = await mkdtemp(join(tmpdir(), 'multiserver-installed-'))
  const { stdout } = await npm(root, ['pack', '--json', '--pack-destination', folder])
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  const source = `file:${packed.filename}`
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const { '': own, ...others } = packages
  const needed = Object.entries(others).filter(([, { dev }]) => dev !== true)
  const dependencies = { multiserver: source }
  const lock = {
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { dependencies },
      'node_modules/multiserver': { ...own, devDependencies: undefined, resolved: source },
      ...Object.fromEntries(needed),
    },
  }
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock))
  const { stderr } = await npm(folder, ['ci', '--prefer-offline', '--no-audit', '--no-fund'])
  return {
    folder,
    files: packed.files.map(({ path }) => path),
    warnings: stderr,
    remove: () => rm(folder, { recursive: true }),
  }
}

/** No script is run: what is built is there, and nothing that is installed needs one. */
function npm(cwd: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('npm', [...args, '--ignore-scripts'], { cwd, maxBuffer: 16 * 1024 * 1024 })
}
