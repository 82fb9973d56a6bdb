/** Frames in a row, in little more memory than their bytes: a Buffer for each of them would take hundreds. */
export class PackedFrames {
  #memory = Buffer.alloc(0)
  #start = 0
  #end = 0

  /** Theirs, and four for the length of each. */
  get bytes(): number {
    return this.#end - this.#start
  }

  push(frame: Uint8Array): void {
    const bytes = lengthBytes + frame.length
    if (this.#end + bytes > this.#memory.length) this.#move(this.bytes + bytes)
    this.#memory.writeUInt32BE(frame.length, this.#end)
    this.#memory.set(frame, this.#end + lengthBytes)
    this.#end += bytes
  }

  /** The oldest, which nobody writes to any more; undefined when there is none. */
  shift(): Buffer | undefined {
    if (this.#start === this.#end) return undefined
    const from = this.#start + lengthBytes
    const frame = this.#memory.subarray(from, from + this.#memory.readUInt32BE(this.#start))
    this.#start = from + frame.length
    if (this.#start === this.#end) this.#move(0)
    return frame
  }

  /** To other memory, with room for so many bytes in all: views of the old one are still in use. */
  #move(bytes: number): void {
    const memory = Buffer.allocUnsafe(2 * bytes)
    this.#memory.copy(memory, 0, this.#start, this.#end)
    this.#end -= this.#start
    this.#start = 0
    this.#memory = memory
  }
}

const lengthBytes = 4
