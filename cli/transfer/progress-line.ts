import { formatBytes } from '../words.ts'

/** How far a file is. */
export interface Progress {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Bytes of it that are there. */
  readonly at: number
}

/** A line at the bottom of a terminal that is drawn anew as bytes move. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream
  readonly #now: () => number
  #isShown = false
  #drawnAt = Number.NEGATIVE_INFINITY
  #name = ''
  /** A while ago: what the speed is taken from. */
  #mark = { at: 0, ms: 0 }
  #bytesPerSecond = 0

  constructor(stream: NodeJS.WriteStream, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
  }

  /** Draws it, unless that was done a moment ago. */
  show(progress: Progress): void {
    const now = this.#now()
    this.#measure(progress, now)
    if (now - this.#drawnAt < redrawMs) return
    this.#drawnAt = now
    this.#isShown = true
    const line = progressText(progress, this.#bytesPerSecond, this.#stream.columns || 80)
    this.#stream.write(`\r${line}${eraseToEnd}`)
  }

  /** Makes room for another line. */
  clear(): void {
    if (this.#isShown) this.#stream.write(`\r${eraseToEnd}`)
    this.#isShown = false
    this.#drawnAt = Number.NEGATIVE_INFINITY
  }

  #measure({ name, at }: Progress, now: number): void {
    if (name !== this.#name || at < this.#mark.at) {
      this.#name = name
      this.#mark = { at, ms: now }
      this.#bytesPerSecond = 0
    }
    const elapsedMs = now - this.#mark.ms
    if (elapsedMs < measureMs) return
    const latest = ((at - this.#mark.at) / elapsedMs) * 1000
    // Half of what it was: it follows, and does not flicker.
    this.#bytesPerSecond = this.#bytesPerSecond === 0 ? latest : (this.#bytesPerSecond + latest) / 2
    this.#mark = { at, ms: now }
  }
}

/** `video.mp4  [=====>    ]  52%  1.2 GB of 2.3 GB  48 MB/s  0:23`, in at most `columns`. */
export function progressText({ name, size, at }: Progress, bytesPerSecond: number, columns: number): string {
  const share = size === 0 ? 1 : at / size
  const filled = Math.floor(share * barColumns)
  const bar = `[${'='.repeat(filled)}${' '.repeat(barColumns - filled)}]`
  const speed =
    bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s  ${timeLeft((size - at) / bytesPerSecond)}` : ''
  const figures = `${Math.floor(share * 100)}%  ${formatBytes(at)} of ${formatBytes(size)}${speed}`
  const room = columns - bar.length - figures.length - 5
  const text = `${shorten(name, room)}  ${bar} ${figures}`
  return text.slice(0, columns - 1)
}

const redrawMs = 100
const measureMs = 500
const barColumns = 20
/** Enough of a name to know it by. */
const leastColumns = 8
const eraseToEnd = '\u001b[K'

function shorten(name: string, room: number): string {
  const most = Math.max(room, leastColumns)
  const characters = Array.from(name)
  return characters.length <= most ? name : `…${characters.slice(1 - most).join('')}`
}

/** `1:02:03`, `2:03`. */
function timeLeft(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const tail = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}
