import { createRequire } from 'node:module'

const manifest = createRequire(import.meta.url)('multiserver/package.json') as { version: string }

/** Of this package. */
export const version = manifest.version
