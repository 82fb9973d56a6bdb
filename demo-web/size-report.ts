import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/**
 * Says at the end of a build how much script a first visit loads, and fails when that is too much.
 * @param mostBytes gzipped, of everything but libsodium, which is a file of its own that hardly ever changes
 */
export function reportSize(mostBytes: number): Plugin {
  return {
    name: 'size-report',
    apply: 'build',
    writeBundle(_options, bundle) {
      const sizes = { own: 0, libsodium: 0 }
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue
        sizes[part.name === 'libsodium' ? 'libsodium' : 'own'] += gzipSync(part.code).length
      }
      const [own, most, libsodium] = [sizes.own, mostBytes, sizes.libsodium].map(kilobytes)
      console.log(
        `The page loads ${own} of script, gzipped (at most ${most}), and ${libsodium} of libsodium.`,
      )
      if (sizes.own > mostBytes) this.error(`the page loads more than ${most} of script beside libsodium`)
    },
  }
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} KB`
}
