import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { TransferEvent } from '../../cli/transfer/events.ts'
import { Folder } from '../../cli/transfer/folder.ts'
import { writeNotes } from '../../cli/transfer/notes.ts'
import { sendOver } from '../../cli/transfer/outgoing.ts'
import type { Existing } from '../../cli/transfer/partial-file.ts'
import { Receiver } from '../../cli/transfer/receiver.ts'
import type { SourceFile } from '../../cli/transfer/source-file.ts'
import { findSources } from '../../cli/transfer/source-files.ts'
import { temporaryFolder } from './command.ts'
import { connectPair, provenKey } from './transfer-pair.ts'

/** Seconds since 1970: a time that every file system keeps as it is. */
const madeAt = 1_000_000_000

it.each([
  ['who is let in hears that there is no room, and not how much there is', true, 'NO_SPACE'],
  ['who is not hears only that', false, 'DECLINED'],
])('of a disk that is too small %s, and the next is served', async (_what, isWanted, code) => {
  const { receiver, source, events, answers } = await makePlace({ existing: 'refuse' })
  answers.push(isWanted)
  const refused = await sendFilesTo(receiver, [await hugeFileIn(source)], () => undefined).catch(
    (error: unknown) => error,
  )
  expect(refused).toMatchObject({ code, message: expect.not.stringMatching(/\d/) })
  expect(events).toContainEqual(expect.objectContaining({ event: 'refused', code }))
  await send(receiver, source)
  expect(await receiver.first).toMatchObject({ done: 1 })
})

it('asks again once a transfer is over, when the same is offered', async () => {
  const { receiver, source, inbox, asked } = await makePlace({ existing: 'overwrite' })
  await send(receiver, source)
  await writeFile(join(inbox, 'a'), 'mine now')
  await send(receiver, source)
  expect(asked).toHaveLength(2)
})

it('tells neither side where files are on the other, when one can not be read or written', async () => {
  const { receiver, source, inbox, events } = await makePlace({ existing: 'refuse' })
  const gone: TransferEvent[] = []
  const files = await filesAt(source)
  await rm(source)
  await sendFilesTo(receiver, files, (event) => gone.push(event))
  const heard = events.find(({ event }) => event === 'skipped')
  expect(heard).toMatchObject({ code: 'UNREADABLE', why: 'a can not be read: ENOENT' })
  expect(gone).toContainEqual(
    expect.objectContaining({ event: 'skipped', why: expect.stringContaining(source) }),
  )

  await writeFile(source, 'theirs')
  await rm(inbox, { recursive: true })
  await writeFile(inbox, 'no folder')
  const refused = await send(receiver, source).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'FAILED', message: expect.stringContaining('ENOTDIR') })
  expect(refused).toMatchObject({ message: expect.not.stringContaining(inbox) })
  expect(events.findLast(({ event }) => event === 'refused')).toMatchObject({
    why: expect.stringContaining(inbox),
  })
})

it.each<[string, Existing, Uint8Array<ArrayBuffer> | undefined, string]>([
  ['a file of the user', 'rename', undefined, 'mine'],
  ['a file of the user, also where files are replaced', 'overwrite', undefined, 'mine'],
  ['what another sender left', 'rename', new Uint8Array(32).fill(8), 'mine'],
  ['what the same sender left is dropped', 'rename', provenKey, 'gone'],
])(
  'NAME.part stays whose it is when NAME looks like what is offered: %s',
  async (_what, existing, from, fate) => {
    const { receiver, source, inbox, events } = await makePlace({ existing })
    const standing = join(inbox, 'a')
    await writeFile(standing, 'others')
    for (const path of [source, standing]) await utimes(path, madeAt, madeAt)
    await writeFile(`${standing}.part`, 'mine')
    const modified = madeAt * 1000
    if (from !== undefined) await writeNotes(`${standing}.part.json`, { from, name: 'a', size: 6, modified })
    await send(receiver, source)
    expect(await readFile(`${standing}.part`, 'utf8').catch(() => 'gone')).toBe(fate)
    expect(await readFile(standing, 'utf8')).toBe('others')
    const outcome = fate === 'gone' ? { event: 'done', as: 'a (1)' } : { event: 'skipped', code: 'BLOCKED' }
    expect(events).toContainEqual(expect.objectContaining(outcome))
  },
)

it.each(['a.part', 'a.part.json'])('keeps %s of the user', async (name) => {
  const { receiver, source, inbox, events } = await makePlace({ existing: 'overwrite' })
  await writeFile(join(inbox, name), 'mine')
  await send(receiver, source)
  expect(events).toContainEqual(
    expect.objectContaining({ event: 'skipped', code: 'BLOCKED', why: `${name} is in the way` }),
  )
  expect(await readFile(join(inbox, name), 'utf8')).toBe('mine')
})

it.each(['a.part', 'a.part.json'])('keeps %s that came up while somebody was asked', async (name) => {
  const { receiver, source, inbox, answers } = await makePlace({ existing: 'refuse' })
  answers.push(async () => writeFile(join(inbox, name), 'mine'))
  const refused = await send(receiver, source).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'FAILED', message: expect.stringContaining(`${name} has come up`) })
  expect(await readdir(inbox)).toEqual([name])
  expect(await readFile(join(inbox, name), 'utf8')).toBe('mine')
  await rm(join(inbox, name))
  await send(receiver, source)
  expect(await receiver.first).toMatchObject({ done: 1 })
})

it('begins anew over an empty NAME.part, as an attempt leaves it that was killed at once', async () => {
  const { receiver, source, inbox } = await makePlace({ existing: 'refuse' })
  await writeFile(join(inbox, 'a.part'), '')
  await send(receiver, source)
  expect(await readdir(inbox)).toEqual(['a'])
})

it.each<[string, Uint8Array<ArrayBuffer>, string[]]>([
  ['goes', provenKey, ['a']],
  ['stays when another has sent it', new Uint8Array(32).fill(8), ['a', 'a.part', 'a.part.json']],
])('what an attempt left beside a file that is there already %s', async (_what, from, left) => {
  const { receiver, source, inbox, events } = await makePlace({ existing: 'refuse' })
  const standing = join(inbox, 'a')
  await writeFile(standing, 'theirs')
  for (const path of [source, standing]) await utimes(path, madeAt, madeAt)
  await writeFile(`${standing}.part`, 'the')
  await writeNotes(`${standing}.part.json`, { from, name: 'a', size: 6, modified: madeAt * 1000 })
  await send(receiver, source)
  expect(events).toContainEqual(expect.objectContaining({ event: 'done', moved: 0 }))
  expect((await readdir(inbox)).toSorted()).toEqual(left)
})

type Answer = boolean | (() => Promise<void>)

/** A receiver that takes everything it is asked about, unless `answers` has something else, and a file to send. */
async function makePlace({ existing }: { existing: Existing }) {
  const folder = temporaryFolder()
  const [inbox, source] = [join(folder, 'inbox'), join(folder, 'a')]
  await mkdir(inbox)
  await writeFile(source, 'theirs')
  const events: TransferEvent[] = []
  const asked: string[] = []
  const answers: Answer[] = []
  const receiver = new Receiver({
    folder: new Folder(inbox, existing),
    mostBytes: 2 ** 53,
    report: (event) => events.push(event),
    async ask(peer) {
      asked.push(peer)
      const answer = answers.shift() ?? true
      if (typeof answer === 'boolean') return answer
      await answer()
      return true
    },
  })
  return { receiver, inbox, source, events, asked, answers }
}

async function send(receiver: Receiver, path: string): Promise<void> {
  await sendFilesTo(receiver, await filesAt(path), () => undefined)
}

async function sendFilesTo(
  receiver: Receiver,
  files: readonly SourceFile[],
  report: (event: TransferEvent) => void,
): Promise<void> {
  const [near, far] = connectPair()
  const met = receiver.meet(far)
  const nothing = () => undefined
  try {
    const sources = { files, emptyFolders: [] }
    await sendOver(near, { sources, onFolderSkipped: nothing, onMoved: nothing, onSettled: nothing, report })
  } finally {
    await met
  }
}

/** What its sender says of it; nothing of it is read before it is wanted. */
async function hugeFileIn(path: string): Promise<SourceFile> {
  const [file] = await filesAt(path)
  if (file === undefined) throw new Error(`${path} is a file`)
  return { ...file, size: 2 ** 50 }
}

async function filesAt(path: string): Promise<readonly SourceFile[]> {
  return (await findSources([path], () => undefined)).files
}
