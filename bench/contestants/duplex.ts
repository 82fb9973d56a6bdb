import type { Duplex } from 'node:stream'
import { askEcho, askSink, type Wire } from '../contestant.ts'
import { Answers } from '../answers.ts'

/** The serving side over any Duplex of Node. */
export function serveDuplex(stream: Duplex): void {
  let asked: number | undefined
  const answer = () => stream.end(Uint8Array.of(1))
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => {
    if (asked === undefined) {
      asked = chunk[0]
      if (asked !== askSink && asked !== askEcho) answer()
    }
    if (asked === askEcho) stream.write(chunk)
  })
  stream.on('end', () => asked === askSink && answer())
}

/** The dialing side over any Duplex of Node. */
export function wireOfDuplex(stream: Duplex): Wire {
  const answers = new Answers()
  stream.on('error', () => undefined)
  stream.on('data', () => answers.arrived())
  return {
    async write(chunk) {
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve))
    },
    end() {
      stream.end()
      return Promise.resolve()
    },
    answer: () => answers.next(),
    close() {
      stream.destroy()
      return Promise.resolve()
    },
  }
}
