import { expect } from 'vitest'
import { Talk } from '../../cli/demo/talk.ts'
import { isOver, type Transfer } from '../../cli/demo/transfer.ts'
import { toBase64 } from '../../core/bytes.ts'
import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import type { IncomingFile } from '../../cli/demo/incoming-file.ts'
import type { Hello, LobbyEntry, Message } from '../../cli/demo/protocol.ts'
import type { MultiserverError } from '../../core/errors.ts'

export const keys = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const

/** A talk, and what has come of it so far. */
export interface Recorded {
  readonly talk: Talk
  readonly hello: Promise<Hello>
  readonly chat: Promise<string>
  readonly offered: Promise<IncomingFile>
  readonly ended: Promise<MultiserverError | undefined>
  readonly files: IncomingFile[]
  offeredFiles(count: number): Promise<void>
  file(index: number): IncomingFile
  /** The next roster that comes, or came and was not asked for. */
  roster(): Promise<readonly LobbyEntry[]>
}

export function startPair(onOffer?: (file: IncomingFile) => void): [Recorded, Recorded] {
  const [first, second] = connectPair()
  return [recordTalk(first, helloOf(0)), recordTalk(second, helloOf(1), onOffer)]
}

export function recordTalk(
  connection: Connection,
  me: Hello,
  onOffer?: (file: IncomingFile) => void,
): Recorded {
  const hello = defer<Hello>()
  const chat = defer<string>()
  const offered = defer<IncomingFile>()
  const ended = defer<MultiserverError | undefined>()
  const files: IncomingFile[] = []
  const rosters: (readonly LobbyEntry[])[] = []
  let wake = () => {}
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise<void>((resolve) => (wake = resolve))
  }
  const talk = new Talk(connection, me, {
    onHello: hello.resolve,
    onChat: chat.resolve,
    onRoster(peers) {
      rosters.push(peers)
      wake()
    },
    onOffer(file) {
      files.push(file)
      onOffer?.(file)
      offered.resolve(file)
      wake()
    },
    onEnd: ended.resolve,
  })
  return {
    talk,
    hello: hello.promise,
    chat: chat.promise,
    offered: offered.promise,
    ended: ended.promise,
    files,
    offeredFiles: (count) => until(() => files.length >= count),
    file: (index) => files[index] ?? expect.fail(`file ${index} was not offered`),
    async roster() {
      await until(() => rosters.length > 0)
      return rosters.shift() ?? []
    },
  }
}

export function connectPair(): [Connection, Connection] {
  const [first, second] = createPair()
  const strength = 1
  return [
    new Connection(first, { address: 'memory:b~shs', role: 'client', remote: keys[1], strength }),
    new Connection(second, { address: 'memory~shs', role: 'server', remote: keys[0], strength }),
  ]
}

export function helloOf(side: 0 | 1): Hello {
  return { type: 'hello', kind: 'browser', name: side === 0 ? 'alice' : 'bob', address: addressOf(side) }
}

export function addressOf(side: 0 | 1): string {
  return `rtc:127.0.0.1:1~shs:${toBase64(keys[side])}`
}

export function offer(id: number, size: number): Message {
  return { type: 'offer', id, name: 'file', size, room: false }
}

export function sourceOf(name: string, bytes: Buffer) {
  return { name, size: bytes.length, read: async (start: number, end: number) => bytes.subarray(start, end) }
}

export async function over(transfer: Transfer): Promise<void> {
  while (!isOver(transfer)) await new Promise<void>((resolve) => (transfer.onChange = resolve))
}

export async function closeBoth(a: Recorded, b: Recorded): Promise<void> {
  await Promise.all([a.talk.close(), b.talk.close(), a.ended, b.ended])
}

function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  return { promise: new Promise<T>((settle) => (resolve = settle)), resolve: (value) => resolve(value) }
}
