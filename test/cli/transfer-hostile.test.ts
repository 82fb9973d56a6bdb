import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Connection } from '../../core/connection.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { ByteStream } from '../../core/types.ts'
import type { TransferEvent } from '../../cli/transfer/events.ts'
import { Folder } from '../../cli/transfer/folder.ts'
import { dataFrame, frameHeaderBytes, FrameReader, messageFrame } from '../../cli/transfer/frames.ts'
import { receiveOver, type Summary } from '../../cli/transfer/incoming.ts'
import {
  receiverCodec,
  senderCodec,
  type ReceiverMessage,
  type SenderMessage,
} from '../../cli/transfer/messages.ts'
import { sendOver } from '../../cli/transfer/outgoing.ts'
import type { Existing } from '../../cli/transfer/partial-file.ts'
import { Receiver } from '../../cli/transfer/receiver.ts'
import { sendFiles } from '../../cli/transfer/sending.ts'
import { findSources } from '../../cli/transfer/source-files.ts'
import { makeFile, sha256Of } from './transfer-processes.ts'
import { temporaryFolder } from './command.ts'
import { connectPair, provenKey } from './transfer-pair.ts'

const zeros = new Uint8Array(32)

/** A folder with one into which files are received, which holds something already. */
async function makeInbox() {
  const folder = temporaryFolder()
  const inbox = join(folder, 'inbox')
  await mkdir(join(inbox, 'sub'), { recursive: true })
  await writeFile(join(inbox, 'mine'), 'mine')
  await writeFile(join(inbox, 'others.part'), 'mine')
  await symlink('..', join(inbox, 'out'))
  return { folder, inbox }
}

async function expectUntouched({ folder, inbox }: { folder: string; inbox: string }): Promise<void> {
  expect(await readdir(folder)).toEqual(['inbox'])
  expect(await readFile(join(inbox, 'mine'), 'utf8')).toBe('mine')
  expect(await readFile(join(inbox, 'others.part'), 'utf8')).toBe('mine')
  expect(await readlink(join(inbox, 'out'))).toBe('..')
  expect(await openFilesIn(folder)).toEqual([])
}

/** Of this process; on Linux. */
async function openFilesIn(folder: string): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd').catch(() => [])
  const paths = await Promise.all(
    numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')),
  )
  return paths.filter((path) => path.startsWith(folder))
}

function receive(connection: Connection, inbox: string, existing: Existing = 'refuse'): Promise<Summary> {
  return receiveOver(connection, {
    folder: new Folder(inbox, existing),
    from: provenKey,
    mostBytes: 2 ** 50,
    consent: async () => true,
    report: () => undefined,
  })
}

const settled = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error)

describe('a receiver', () => {
  const names = [
    'mine',
    'others',
    'out/x',
    'sub/x',
    'sub',
    'a',
    'A',
    'a/b',
    '../x',
    '/x',
    'a.part',
    '\u0000',
    '..',
  ]
  const offered = fc.array(fc.record({ name: fc.constantFrom(...names), size: fc.nat(3) }), {
    minLength: 1,
    maxLength: 4,
  })
  const file = fc.nat(3)
  const stray: fc.Arbitrary<SenderMessage> = fc.oneof(
    fc.record({ type: fc.constantFrom('end', 'prefix'), file, sha256: fc.constant(zeros) }),
    fc.record({ type: fc.constant('gone'), file, code: fc.constant('CHANGED'), why: fc.constant('') }),
    fc.constant({ type: 'offer', version: 1, files: 0, bytes: 0 }),
    fc.record({ type: fc.constant('folder'), name: fc.constantFrom(...names) }),
  )
  const said = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 4 }).map(data), stray.map(messageOf))
  // What becomes of the files that are wanted, one by one, with something stray among it.
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('whole', 'damaged', 'gone') },
      { weight: 1, arbitrary: said },
    ),
    { maxLength: 6 },
  )

  it('makes nothing outside its folder, replaces nothing and keeps only what is whole, whatever it is sent', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        offered,
        steps,
        fc.constantFrom<Existing>('refuse', 'rename'),
        fc.boolean(),
        fc.array(fc.constantFrom(...names), { maxLength: 3 }),
        async (files, conversation, existing, isPatient, folders) => {
          const place = await makeInbox()
          const [sender, receiver] = connectPair()
          const receiving = settled(receive(receiver, place.inbox, existing))
          const bytes = files.reduce((sum, { size }) => sum + size, 0)
          void sender.write(
            messageOf({
              type: 'offer',
              version: 1,
              files: files.length,
              bytes,
              folders: folders.length,
            }),
          )
          for (const { name, size } of files)
            void sender.write(messageOf({ type: 'file', name, size, modified: 0 }))
          if (isPatient) for (const name of folders) void sender.write(messageOf({ type: 'folder', name }))
          const wanted = isPatient ? await readWanted(sender, files.length) : []
          for (const [index, step] of conversation.entries()) {
            for (const frame of typeof step === 'string' ? framesOf(step, wanted[index], files) : [step]) {
              void sender.write(frame)
            }
          }
          await sender.close()
          await receiving
          await expectUntouched(place)
          for (const path of await keptIn(place.inbox)) {
            expect(files.map(({ size }) => size)).toContain(
              (await readFile(path)).filter((byte) => byte === 1).length,
            )
            seen.add(relative(place.inbox, path))
          }
        },
      ),
      {
        numRuns: 150,
        // What is kept is looked at for sure.
        examples: [
          [
            [
              { name: '../x', size: 2 },
              { name: 'mine', size: 3 },
            ],
            ['whole', 'whole'],
            'rename',
            true,
            ['../y', 'out', 'out/y', 'mine'],
          ],
        ],
      },
    )
    expect([...seen]).toEqual(expect.arrayContaining(['x', 'mine (1)']))
  })

  it.each([
    ['an offer of another version', { version: 2, files: 0, bytes: 0 }, 'VERSION'],
    ['too many files', { version: 1, files: 10_001, bytes: 0 }, 'TOO_MANY'],
    ['more than the disk has room for', { version: 1, files: 1, bytes: 2 ** 50 }, 'NO_SPACE'],
  ])('refuses %s', async (_what, offer, code) => {
    const [sender, receiver] = connectPair()
    const receiving = settled(receive(receiver, temporaryFolder()))
    for (const message of [
      { type: 'offer' as const, ...offer },
      { type: 'file' as const, name: 'x', size: offer.bytes, modified: 0 },
    ]) {
      void sender.write(messageOf(message))
    }
    expect(await readAll(sender)).toContain(`"code":"${code}"`)
    expect(await receiving).toMatchObject({ code })
  })

  it.each<[string, SenderMessage, string[]]>([
    ['has another SHA-256 than its sender says', { type: 'end', file: 0, sha256: zeros }, []],
    ['has changed', { type: 'gone', file: 0, code: 'CHANGED', why: '' }, []],
    [
      'can not be read any more, but its beginning for another time',
      { type: 'gone', file: 0, code: 'UNREADABLE', why: '' },
      ['x.part', 'x.part.json'],
    ],
  ])('keeps nothing of a file that %s', async (_what, last, left) => {
    const place = await makeInbox()
    const [sender, receiver] = connectPair()
    const receiving = receive(receiver, place.inbox)
    const bytes = last.type === 'end' ? 2 : 3
    void sender.write(messageOf({ type: 'offer', version: 1, files: 1, bytes }))
    void sender.write(messageOf({ type: 'file', name: 'x', size: bytes, modified: 0 }))
    expect(await readWanted(sender, 1)).toEqual([0])
    void sender.write(data(Uint8Array.of(1, 2)))
    void sender.write(messageOf(last))
    await sender.end()
    expect(await receiving).toMatchObject({ done: 0, skipped: 1, moved: 2 })
    await sender.close()
    const before = ['mine', 'others.part', 'out', 'sub']
    expect((await readdir(place.inbox)).filter((name) => !before.includes(name)).toSorted()).toEqual(left)
    await expectUntouched(place)
  })
})

describe('a sender', () => {
  // Three files and a folder, and nothing.
  const file = fc.nat(4)
  const said: fc.Arbitrary<ReceiverMessage> = fc.oneof(
    fc.constant({ type: 'accept' as const }),
    fc.record({ type: fc.constantFrom('want' as const, 'go' as const), file, offset: fc.nat(70_000) }),
    fc.record({
      type: fc.constant('skip' as const),
      file,
      code: fc.constant('EXISTS' as const),
      why: fc.constant(''),
    }),
    fc.record({ type: fc.constant('done' as const), file }),
  )

  it('comes to an end, with each file settled once at most, whatever it is answered', async () => {
    const folder = temporaryFolder()
    await Promise.all(['a', 'b', 'c'].map((name) => makeFile(join(folder, name), 60_000)))
    await mkdir(join(folder, 'empty'))
    const sources = await findSources([folder], () => undefined)
    await fc.assert(
      fc.asyncProperty(fc.array(said, { maxLength: 10 }), fc.boolean(), async (answers, folders) => {
        const [sender, receiver] = connectPair()
        const outcomes: string[] = []
        const skippedFolders: string[] = []
        const events: TransferEvent[] = []
        const sending = settled(
          sendOver(sender, {
            sources,
            onFolderSkipped: (name) => skippedFolders.push(name),
            onMoved: () => undefined,
            onSettled: ({ name }) => outcomes.push(name),
            report: (event) => events.push(event),
          }),
        )
        for (const answer of [{ type: 'accept' as const, folders }, ...answers])
          void receiver.write(messageFrame(receiverCodec.encode(answer)))
        await receiver.close()
        const failed = await sending
        expect(new Set(outcomes).size).toBe(outcomes.length)
        expect(skippedFolders.length).toBeLessThanOrEqual(Number(folders))
        expect(failed === undefined).toBe(outcomes.length === sources.files.length)
        expect(await openFilesIn(folder)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('says nothing of a file before the receiver has agreed', async () => {
    const folder = temporaryFolder()
    await makeFile(join(folder, 'a'), 10)
    const sources = await findSources([join(folder, 'a')], () => undefined)
    const [sender, receiver] = connectPair()
    const sending = settled(
      sendOver(sender, {
        sources,
        onFolderSkipped: () => undefined,
        onMoved: () => undefined,
        onSettled: () => undefined,
        report: () => undefined,
      }),
    )
    void receiver.write(messageFrame(receiverCodec.encode({ type: 'want', file: 0, offset: 0 })))
    expect(await sending).toMatchObject({ code: 'PROTOCOL' })
    receiver.abort()
  })
})

describe('both, over connections that break anywhere', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('bring every file whole, and never begin anew', async () => {
    // Dialing again waits for a random time, and at least none.
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const folder = temporaryFolder()
    const sizes = [0, 1, 300_000, 700_000]
    const source = join(folder, 'source')
    await mkdir(join(source, 'empty'), { recursive: true })
    const hashes = await Promise.all(sizes.map((size) => makeFile(join(source, String(size)), size)))
    const sources = await findSources([source], () => undefined)
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(600_000), { maxLength: 6 }), async (cuts) => {
        const inbox = join(folder, `inbox ${runs++}`)
        await mkdir(inbox)
        const events: TransferEvent[] = []
        const receiver = new Receiver({
          folder: new Folder(inbox, 'refuse'),
          mostBytes: 1e9,
          report: (event) => events.push(event),
        })
        const left = [...cuts]
        const summary = await sendFiles({
          sources,
          retryMs: 60_000,
          signal: new AbortController().signal,
          report: () => undefined,
          async dial() {
            const bytes = left.shift()
            const [near, far] = connectPair(
              bytes === undefined ? undefined : (stream) => cutAfter(stream, bytes),
            )
            void receiver.meet(far)
            return near
          },
        })
        expect(summary).toMatchObject({ done: sizes.length, skipped: 0 })
        expect(events.filter(({ event }) => event === 'restarted')).toEqual([])
        const received = await Promise.all(sizes.map((size) => sha256Of(join(inbox, 'source', String(size)))))
        expect(received).toEqual(hashes)
        expect((await readdir(join(inbox, 'source'))).toSorted()).toEqual([...sizes.map(String), 'empty'])
        expect(await openFilesIn(folder)).toEqual([])
      }),
      { numRuns: 25 },
    )
  })
})

/** The files that the receiver wants, from their first byte; none when it refuses. */
async function readWanted(sender: Connection, files: number): Promise<number[]> {
  const frames = new FrameReader(sender, receiverCodec)
  const wanted: number[] = []
  if ((await frames.message()).type !== 'accept') return wanted
  for (let count = 0; count < files; count += 1) {
    const message = await frames.message()
    if (message.type === 'want') wanted.push(message.file)
  }
  return wanted
}

/** What a sender says of a file that was wanted; its content is ones. */
function framesOf(how: string, file: number | undefined, files: readonly { size: number }[]): Uint8Array[] {
  if (file === undefined) return []
  if (how === 'gone') return [messageOf({ type: 'gone', file, code: 'CHANGED', why: '' })]
  const content = new Uint8Array(files[file]?.size ?? 0).fill(1)
  const sha256 = how === 'damaged' ? zeros : Uint8Array.from(createHash('sha256').update(content).digest())
  return [...(content.length > 0 ? [data(content)] : []), messageOf({ type: 'end', file, sha256 })]
}

/** Files that came, under the names that they are to have. */
async function keptIn(inbox: string): Promise<string[]> {
  const entries = await readdir(inbox, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !/\.part(\.json)?$|^mine$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

function messageOf(message: SenderMessage): Uint8Array {
  return messageFrame(senderCodec.encode(message))
}

/** Breaks once so many bytes were written. */
function cutAfter(stream: ByteStream, bytes: number): ByteStream {
  let left = bytes
  const broken = () => new MultiserverError('CONNECTION_LOST', 'the line was cut')
  return {
    ...stream,
    closed: stream.closed,
    read: () => stream.read(),
    end: () => stream.end(),
    abort: (reason) => stream.abort(reason),
    async write(chunk) {
      const part = chunk.subarray(0, left)
      left -= part.length
      if (part.length > 0) await stream.write(part)
      if (part.length === chunk.length) return
      stream.abort(broken())
      throw broken()
    },
  }
}

function data(bytes: Uint8Array): Uint8Array {
  const memory = new Uint8Array(frameHeaderBytes + bytes.length)
  memory.set(bytes, frameHeaderBytes)
  return dataFrame(memory, bytes.length)
}

/** As text: to look for words in. */
async function readAll(connection: Connection): Promise<string> {
  const chunks: Uint8Array[] = []
  for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
    chunks.push(chunk)
    void connection.end()
  }
  return Buffer.concat(chunks).toString('latin1')
}
