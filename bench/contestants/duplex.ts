import type { Duplex } from 'node:stream'
import { askSink, type Wire } from '../contestant.ts'

/** The serving side over any Duplex of Node. */
export function serveDuplex(stream: Duplex): void {
  let sink: boolean | undefined
  const answer = () => stream.end(Uint8Array.of(1))
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => {
    if (sink !== undefined) return
    sink = chunk[0] === askSink
    if (!sink) answer()
  })
  stream.on('end', () => sink === true && answer())
}

/** The dialing side over any Duplex of Node. */
export function wireOfDuplex(stream: Duplex): Wire {
  stream.on('error', () => undefined)
  const answered = new Promise<void>((resolve) => stream.once('data', () => resolve()))
  return {
    async write(chunk) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
    },
    end() {
      stream.end()
      return Promise.resolve()
    },
    answer: () => answered,
    close() {
      stream.destroy()
      return Promise.resolve()
    },
  }
}
