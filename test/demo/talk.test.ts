import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { chunkFrame, messageFrame } from '../../cli/demo/frames.ts'
import type { IncomingFile } from '../../cli/demo/incoming-file.ts'
import { demoLimits, type Hello, type Message, type LobbyEntry } from '../../cli/demo/protocol.ts'
import { Roster } from '../../cli/demo/roster.ts'
import { Talk } from '../../cli/demo/talk.ts'
import { isOver, type Transfer } from '../../cli/demo/transfer.ts'
import { toBase64 } from '../../core/bytes.ts'
import { Connection } from '../../core/connection.ts'
import type { MultiserverError } from '../../core/errors.ts'
import { createPair } from '../../core/pair.ts'

const keys = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const

describe('a talk', () => {
  it('says who both are, and that their keys are the proven ones', async () => {
    const [a, b] = startPair()
    expect((await a.hello).name).toBe('bob')
    expect((await b.hello).name).toBe('alice')
    await closeBoth(a, b)
  })

  it('ends when the key in the address is not the one that was proved', async () => {
    const [connection, far] = connectPair()
    const a = recordTalk(connection, helloOf(0))
    await far.write(messageFrame(helloOf(0)))
    expect((await a.ended)?.code).toBe('WRONG_KEY')
  })

  it.each<[string, Message[]]>([
    ['anything but hello comes first', [{ type: 'chat', text: 'hi', room: false }]],
    ['hello comes twice', [helloOf(1), helloOf(1)]],
    ['a file is accepted that nobody offered', [helloOf(1), { type: 'accept', id: 1 }]],
    ['a ping is answered that nobody sent', [helloOf(1), { type: 'pong', id: 1 }]],
    ['an id is offered twice', [helloOf(1), offer(1, 5), offer(1, 5)]],
    [
      'a file is done before it was taken',
      [helloOf(1), offer(1, 0), { type: 'done', id: 1, sha256: '0'.repeat(64) }],
    ],
  ])('ends in PROTOCOL when %s', async (_what, messages) => {
    const [connection, far] = connectPair()
    const a = recordTalk(connection, helloOf(0))
    for (const message of messages) void far.write(messageFrame(message))
    expect((await a.ended)?.code).toBe('PROTOCOL')
  })

  it.each<[string, number]>([
    ['without an offer', 5],
    ['beyond the size', 1],
  ])('ends in PROTOCOL when a chunk comes %s', async (_what, id) => {
    const [connection, far] = connectPair()
    const a = recordTalk(connection, helloOf(0), (file) => file.accept())
    void far.write(messageFrame(helloOf(1)))
    void far.write(messageFrame(offer(1, 3)))
    void far.write(chunkFrame(id, new Uint8Array(4)))
    expect((await a.ended)?.code).toBe('PROTOCOL')
  })

  it('measures how long a message takes there and back, one at a time', async () => {
    const [a, b] = startPair()
    await a.hello
    a.talk.ping()
    a.talk.ping()
    await expect.poll(() => a.talk.roundTripMs).toBeGreaterThan(0)
    expect(a.talk.movedBytes).toBeGreaterThan(0)
    await closeBoth(a, b)
  })

  it('carries a file whole, and both ends have the same SHA-256', async () => {
    const received: Uint8Array[] = []
    const [a, b] = startPair((file) => file.accept((bytes) => received.push(bytes)))
    await a.hello
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
    const sent = a.talk.sendFile(sourceOf('numbers.bin', bytes))
    await over(sent)
    const [file] = b.files
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect([sent.state, sent.sha256, sent.moved]).toEqual(['verified', sha256, bytes.length])
    expect([file?.state, file?.sha256, file?.name]).toEqual(['verified', sha256, 'numbers.bin'])
    expect(Buffer.concat(received).equals(bytes)).toBe(true)
    await closeBoth(a, b)
  })

  it('carries an empty file', async () => {
    const [a, b] = startPair((file) => file.accept())
    await a.hello
    const sent = a.talk.sendFile(sourceOf('nothing', Buffer.alloc(0)))
    await over(sent)
    expect(sent.state).toBe('verified')
    await closeBoth(a, b)
  })

  it('goes on while a file is on its way, of which little is under way at once', async () => {
    const [a, b] = startPair((file) => file.accept())
    await a.hello
    const bytes = Buffer.alloc(4 * 1024 * 1024)
    let mostAhead = 0
    const sent = a.talk.sendFile({
      ...sourceOf('large', bytes),
      async read(start, end) {
        mostAhead = Math.max(mostAhead, end - (b.files[0]?.moved ?? 0))
        return bytes.subarray(start, end)
      },
    })
    await b.offered
    await a.talk.say('are you there?')
    expect(await b.chat).toBe('are you there?')
    expect(isOver(sent)).toBe(false)
    await over(sent)
    expect(sent.state).toBe('verified')
    expect(mostAhead).toBeLessThanOrEqual(demoLimits.unacknowledgedBytes + demoLimits.chunkBytes)
    await closeBoth(a, b)
  })

  it('fails a file that the receiver refuses, that the sender stops, that can not be read, that breaks off', async () => {
    const [a, b] = startPair()
    await a.hello
    const bytes = Buffer.alloc(100_000)
    const refused = a.talk.sendFile(sourceOf('refused', bytes))
    const stopped = a.talk.sendFile(sourceOf('stopped', bytes))
    const unreadable = a.talk.sendFile({
      name: 'unreadable',
      size: 5,
      read: () => Promise.reject(new Error('gone')),
    })
    const broken = a.talk.sendFile(sourceOf('broken', bytes))
    await b.offeredFiles(4)
    b.files[0]?.refuse('not wanted')
    stopped.cancel()
    b.files[2]?.accept()
    await Promise.all([over(refused), over(stopped), over(unreadable), over(b.file(1)), over(b.file(2))])
    expect([refused.why, b.file(1).why, unreadable.why]).toEqual([
      'refused: not wanted',
      'the sender stopped it',
      'gone',
    ])
    await closeBoth(a, b)
    expect(broken.why).toBe('the connection ended')
  })

  it('says so when a file arrived damaged', async () => {
    const [connection, far] = connectPair()
    const a = recordTalk(connection, helloOf(0), (file) => file.accept())
    await far.write(messageFrame(helloOf(1)))
    await far.write(messageFrame(offer(1, 3)))
    await far.write(chunkFrame(1, Uint8Array.of(1, 2, 3)))
    await far.write(messageFrame({ type: 'done', id: 1, sha256: '0'.repeat(64) }))
    await a.offered
    await over(a.file(0))
    expect(a.file(0).why).toContain('damaged')
    far.abort()
    await a.ended
  })

  it('takes no more files at once than the limit', async () => {
    const [a, b] = startPair()
    await a.hello
    const files = Array.from({ length: demoLimits.files + 1 }, (_, index) =>
      a.talk.sendFile(sourceOf(`${index}`, Buffer.alloc(1))),
    )
    await over(files.at(-1) as Transfer)
    expect(files.at(-1)?.why).toContain('too many files')
    expect(b.files.length).toBe(demoLimits.files)
    await closeBoth(a, b)
  })
})

describe('the roster', () => {
  it('tells everyone who is there, itself first, and when somebody goes', async () => {
    const roster = new Roster(() => ({ kind: 'server', name: 'server', address: addressOf(0), links: [] }))
    const [server, peer] = startPair()
    roster.add('key', await server.hello, server.talk)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob'])
    const [server2, peer2] = startPair()
    const hello = await server2.hello
    expect(roster.add('other', { ...hello, name: 'carol' }, server2.talk)).toBe(true)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob', 'carol'])
    expect(roster.remove('other', server.talk)).toBe(false)
    expect(roster.remove('other', server2.talk)).toBe(true)
    expect((await peer.roster()).map(({ name }) => name)).toEqual(['server', 'bob'])
    await Promise.all([closeBoth(server, peer), closeBoth(server2, peer2)])
  })

  it('tells where somebody can be dialed now at once, and how they are linked a little later', async () => {
    const roster = new Roster(() => ({ kind: 'server', name: 'server', address: addressOf(0), links: [] }))
    const [server, peer] = startPair()
    roster.add('key', await server.hello, server.talk)
    await peer.roster()
    const links = [{ to: toBase64(keys[0]), over: 'net', strength: 2, bytesPerSecond: 5 }] as const
    roster.update('key', server.talk, `${addressOf(1)};${addressOf(1)}`, [])
    expect((await peer.roster())[1]?.address).toContain(';')
    roster.update('key', server.talk, `${addressOf(1)};${addressOf(1)}`, links)
    expect((await peer.roster())[1]?.links).toEqual(links)
    // By a talk that is not the one.
    roster.update('key', peer.talk, '', [])
    roster.add('key', await server.hello, server.talk)
    expect((await peer.roster()).length).toBe(2)
    await closeBoth(server, peer)
  })
})

function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  return { promise: new Promise<T>((settle) => (resolve = settle)), resolve: (value) => resolve(value) }
}

interface Recorded {
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

function startPair(onOffer?: (file: IncomingFile) => void): [Recorded, Recorded] {
  const [first, second] = connectPair()
  return [recordTalk(first, helloOf(0)), recordTalk(second, helloOf(1), onOffer)]
}

function recordTalk(connection: Connection, me: Hello, onOffer?: (file: IncomingFile) => void): Recorded {
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

function connectPair(): [Connection, Connection] {
  const [first, second] = createPair()
  const strength = 1
  return [
    new Connection(first, { address: 'memory:b~shs', role: 'client', remote: keys[1], strength }),
    new Connection(second, { address: 'memory~shs', role: 'server', remote: keys[0], strength }),
  ]
}

function helloOf(side: 0 | 1): Hello {
  return { type: 'hello', kind: 'browser', name: side === 0 ? 'alice' : 'bob', address: addressOf(side) }
}

function addressOf(side: 0 | 1): string {
  return `rtc:127.0.0.1:1~shs:${toBase64(keys[side])}`
}

function offer(id: number, size: number): Message {
  return { type: 'offer', id, name: 'file', size, room: false }
}

function sourceOf(name: string, bytes: Buffer) {
  return { name, size: bytes.length, read: async (start: number, end: number) => bytes.subarray(start, end) }
}

async function over(transfer: Transfer): Promise<void> {
  while (!isOver(transfer)) await new Promise<void>((resolve) => (transfer.onChange = resolve))
}

async function closeBoth(a: Recorded, b: Recorded): Promise<void> {
  await Promise.all([a.talk.close(), b.talk.close(), a.ended, b.ended])
}
