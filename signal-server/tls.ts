import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import type { Server } from 'node:https'
import { dirname } from 'node:path'
import { createSecureContext } from 'node:tls'

export interface TlsFiles {
  /** PEM: the certificate of the hub, and those between it and a root that browsers know. */
  certFile: string
  /** PEM, without a passphrase. */
  keyFile: string
}

export interface Certificate {
  cert: Buffer
  key: Buffer
}

export interface CertificateEvents {
  /** Also when what is in the files is as before, after it could not be read for a while. */
  onChange: (certificate: Certificate) => void
  /** What is in the files now cannot be served; the one before stays. */
  onError: (error: Error) => void
}

/** Whoever renews a certificate writes two files, one after the other. */
const settleMs = 500
/** Where changes are not announced, as in some containers, they are found within the hour. */
const lookMs = 3_600_000

/** No older versions, whatever the system's defaults are. */
export const tlsVersion = { minVersion: 'TLSv1.2' } as const

/** Rejects when the files are not there, not PEM, or not of each other. */
export async function readCertificate({ certFile, keyFile }: TlsFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)])
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`the key in ${keyFile} is not that of the certificate in ${certFile}`)
  }
  createSecureContext({ cert, key, ...tlsVersion })
  return { cert, key }
}

/** What new connections of `server` are shown; those that are open stay as they are. */
export function showCertificate(server: Server, certificate: Certificate): void {
  server.setSecureContext({ ...certificate, ...tlsVersion })
}

/**
 * Looks again at the files whenever something changes beside them. Folders are watched, not files: a renewal puts new
 * files in the place of the old ones, or turns symbolic links to others.
 */
export class CertificateWatch {
  readonly #files: TlsFiles
  readonly #events: CertificateEvents
  readonly #timer: NodeJS.Timeout
  readonly #watchers = new Map<string, FSWatcher>()
  #shown: Certificate
  #settling: NodeJS.Timeout | undefined
  #hasFailed = false
  #isClosed = false

  private constructor(files: TlsFiles, shown: Certificate, events: CertificateEvents) {
    this.#files = files
    this.#shown = shown
    this.#events = events
    this.#timer = setInterval(() => void this.#look(), lookMs).unref()
  }

  /** Resolves when it watches; `shown` is what the server has now. */
  static async start(
    files: TlsFiles,
    shown: Certificate,
    events: CertificateEvents,
  ): Promise<CertificateWatch> {
    const started = new CertificateWatch(files, shown, events)
    // Also what changed since `shown` was read.
    await started.#look()
    return started
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    clearTimeout(this.#settling)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  async #look(): Promise<void> {
    await this.#watchFolders()
    try {
      const certificate = await readCertificate(this.#files)
      if (this.#isClosed) return
      const isShown = certificate.cert.equals(this.#shown.cert) && certificate.key.equals(this.#shown.key)
      this.#shown = certificate
      if (!isShown || this.#hasFailed) this.#events.onChange(certificate)
      this.#hasFailed = false
    } catch (thrown) {
      if (this.#isClosed) return
      this.#hasFailed = true
      this.#events.onError(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }

  async #watchFolders(): Promise<void> {
    const paths = [this.#files.certFile, this.#files.keyFile]
    const targets = await Promise.all(paths.map((path) => realpath(path).catch(() => path)))
    const folders = new Set([...paths, ...targets].map((path) => dirname(path)))
    if (this.#isClosed) return
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder)
  }

  /** A folder that cannot be watched, or is gone, is looked at with the next look. */
  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookSoon())
      this.#watchers.set(folder, watcher)
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(folder)
      })
    } catch {
      this.#watchers.delete(folder)
    }
  }

  #lookSoon(): void {
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => void this.#look(), settleMs).unref()
  }
}
