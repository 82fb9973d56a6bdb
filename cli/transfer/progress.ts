import { formatBytes } from '../words.ts'

/** How far a file is. */
export interface Progress {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Bytes of it that are there. */
  readonly at: number
}

/** Measures how fast files move, and says it for people. */
export class ProgressMeter {
  readonly #now: () => number
  #progress: Progress = { name: '', size: 0, at: 0 }
  /** A while ago: what the speed is taken from. */
  #mark = { at: 0, ms: 0 }
  #bytesPerSecond = 0

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  note(progress: Progress): void {
    const ms = this.#now()
    const { at } = progress
    if (progress.name !== this.#progress.name || at < this.#mark.at) {
      this.#mark = { at, ms }
      this.#bytesPerSecond = 0
    }
    this.#progress = progress
    const elapsedMs = ms - this.#mark.ms
    if (elapsedMs < measureMs) return
    const latest = ((at - this.#mark.at) / elapsedMs) * 1000
    // Half of what it was: it follows, and does not flicker.
    this.#bytesPerSecond = this.#bytesPerSecond === 0 ? latest : (this.#bytesPerSecond + latest) / 2
    this.#mark = { at, ms }
  }

  /** `video.mp4  [==========          ]  52%  1.2 GB of 2.3 GB  48 MB/s  0:23` */
  text(): string {
    const { name, size, at } = this.#progress
    const share = size === 0 ? 1 : at / size
    const filled = Math.floor(share * barColumns)
    const bar = `[${'='.repeat(filled)}${' '.repeat(barColumns - filled)}]`
    const figures = `${Math.floor(share * 100)}%  ${formatBytes(at)} of ${formatBytes(size)}`
    return `${shorten(name)}  ${bar}  ${figures}${this.#speed(size - at)}`
  }

  #speed(bytesLeft: number): string {
    const bytesPerSecond = this.#bytesPerSecond
    return bytesPerSecond === 0
      ? ''
      : `  ${formatBytes(bytesPerSecond)}/s  ${duration(Math.ceil(bytesLeft / bytesPerSecond))}`
  }
}

const measureMs = 500
const barColumns = 20
/** Enough of a name to know it by, with all else on a terminal of 80 columns. */
const nameCharacters = 20

function shorten(name: string): string {
  const characters = Array.from(name)
  return characters.length <= nameCharacters ? name : `…${characters.slice(1 - nameCharacters).join('')}`
}

/** `1:02:03`, `2:03`. */
function duration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const tail = String(seconds % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}
