import { formatBytes } from '../../cli/demo/text.ts'
import type { IncomingFile } from '../../cli/demo/incoming-file.ts'
import type { Bytes } from '../../core/types.ts'

/** Kept in memory until it is saved. */
const mostBytes = 512 * 1024 * 1024

/** Decoded it takes many times as much. */
const mostShownBytes = 16 * 1024 * 1024

/** A file as it arrives at the page: first an offer, and at last something to save, perhaps to look at. */
export class ReceivedFile {
  readonly #file: IncomingFile
  #parts: Bytes[] = []
  #url: string | undefined
  #imageType: string | undefined

  constructor(file: IncomingFile) {
    this.#file = file
    if (file.size > mostBytes) file.refuse(`a page does not take more than ${formatBytes(mostBytes)}`)
  }

  accept(): void {
    this.#file.accept((bytes) => this.#parts.push(bytes))
  }

  refuse(): void {
    this.#file.refuse('not wanted')
    this.discard()
  }

  /** Where the bytes are, once all have come and are what was sent. */
  get url(): string | undefined {
    if (this.#url === undefined && this.#file.state === 'verified') {
      this.#imageType = imageTypeOf(this.#parts[0])
      // Whatever the sender calls it, only these images are more to the browser than bytes.
      const blob = new Blob(this.#parts, { type: this.#imageType ?? 'application/octet-stream' })
      this.#url = URL.createObjectURL(blob)
      this.#parts = []
    }
    return this.#url
  }

  /** Whether `url` is an image, and small enough to be shown here. */
  get isShown(): boolean {
    return this.#imageType !== undefined && this.#file.size <= mostShownBytes
  }

  discard(): void {
    this.#parts = []
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url)
  }
}

/** By the first bytes and nothing else. */
function imageTypeOf(start: Uint8Array | undefined): string | undefined {
  const text = String.fromCharCode(...(start ?? []).slice(0, 12))
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (/^GIF8[79]a/.test(text)) return 'image/gif'
  return /^RIFF[^]{4}WEBP/.test(text) ? 'image/webp' : undefined
}
