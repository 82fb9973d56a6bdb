import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startHub } from '../../signal-server/index.ts'
import type { Memory } from '../support/measure-memory.mjs'
import { MemoryGrowth, offeredBytes } from '../support/memory-growth.ts'

const script = fileURLToPath(new URL('memory-peer.mjs', import.meta.url))
const MiB = 1024 * 1024
const warmUpBytes = 32 * MiB
/** No rate of the hub is what holds the writer back. */
const limits = {
  relayBytesPerSecond: 1024 * MiB,
  relayBytesPerSecondPerPeer: 1024 * MiB,
  relayBytes: 4096 * MiB,
}
/** A writer that got nothing away for this long is held back. */
const stalledMs = 1000

describe('a reader that stops reading', () => {
  it.each(['net', 'ws', 'rtc', 'the relay of a hub'])(
    'holds the memory of both processes flat while the writer offers 1 GiB, over %s',
    async (transport) => {
      const hub = await startHub({ port: 0, exemptLoopback: true, limits })
      const reader = new Peer('reader', transport, hub.url)
      const { address = '' } = await reader.heard('address')
      const writer = new Peer('writer', transport, address)
      try {
        await Promise.all([reader.heard('isWarm'), writer.heard('isWarm')])
        const [ofReader, ofWriter] = [await reader.startGrowth(), await writer.startGrowth()]
        writer.say('go')
        let written = -1
        let progressAt = performance.now()
        while (performance.now() - progressAt < stalledMs) {
          const [readerNow, writerNow] = await Promise.all([reader.measure(), writer.measure()])
          ofReader.note(readerNow.memory)
          ofWriter.note(writerNow.memory)
          if (writerNow.written !== written) progressAt = performance.now()
          written = writerNow.written
        }
        expect(written).toBeGreaterThan(warmUpBytes)
        expect(written).toBeLessThan(warmUpBytes + offeredBytes / 8)
        ofReader.expectFlat()
        ofWriter.expectFlat()
      } finally {
        await Promise.all([reader.leave(), writer.leave()])
        await hub.close()
      }
    },
    60_000,
  )
})

interface Told {
  readonly address?: string
  readonly isWarm?: boolean
  readonly memory: Memory
  readonly written: number
}

class Peer {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #told: Told[] = []
  #waiting: (() => void)[] = []

  constructor(role: 'reader' | 'writer', transport: string, where: string) {
    this.#child = fork(script, [role, transport, where], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.on('message', (told: Told) => {
      this.#told.push(told)
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
    void this.#exited.then(() => {
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
  }

  say(message: string): void {
    this.#child.send(message)
  }

  /** The next message with this field. */
  async heard(field: keyof Told): Promise<Told> {
    for (;;) {
      const at = this.#told.findIndex((told) => told[field] !== undefined)
      const [told] = at < 0 ? [] : this.#told.splice(at, 1)
      if (told !== undefined) return told
      if (this.#child.exitCode !== null) throw new Error(`a peer exited with ${this.#child.exitCode}`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  measure(): Promise<Told> {
    this.say('measure')
    return this.heard('memory')
  }

  async startGrowth(): Promise<MemoryGrowth> {
    return new MemoryGrowth((await this.measure()).memory)
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}
