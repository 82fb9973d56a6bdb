import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { chunkFrame, messageFrame } from '../../cli/demo/frames.ts'
import { demoLimits, type Message } from '../../cli/demo/protocol.ts'
import { isOver, type Transfer } from '../../cli/demo/transfer.ts'
import {
  addressOf,
  closeBoth,
  connectPair,
  helloOf,
  offer,
  over,
  recordTalk,
  sourceOf,
  startPair,
} from './recorded-talk.ts'

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

  it('keeps one roster at most for a peer that does not read, the newest', async () => {
    const [connection, far] = connectPair()
    const a = recordTalk(connection, helloOf(0))
    const peers = (name: string) => [{ kind: 'server', name, address: addressOf(0), links: [] } as const]
    const big = Array.from({ length: demoLimits.rosterEntries }, () => peers('x'.repeat(40))).flat()
    for (let count = 0; count < 1_000; count++) a.talk.sendRoster(big)
    a.talk.sendRoster(peers('last'))
    const b = recordTalk(far, helloOf(1))
    const heard: string[] = []
    while (heard.at(-1) !== 'last') heard.push((await b.roster())[0]?.name ?? '')
    expect(heard.length).toBeLessThan(100)
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
