import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { TransferEvent } from '../../cli/transfer/events.ts'
import { Folder } from '../../cli/transfer/folder.ts'
import { messageFrame } from '../../cli/transfer/frames.ts'
import { senderCodec } from '../../cli/transfer/messages.ts'
import { sendOver } from '../../cli/transfer/outgoing.ts'
import type { Existing } from '../../cli/transfer/partial-file.ts'
import { Receiver } from '../../cli/transfer/receiver.ts'
import { findSourceFiles } from '../../cli/transfer/source-files.ts'
import { Connection } from '../../core/connection.ts'
import { createPair } from '../../core/pair.ts'
import { temporaryFolder } from './command.ts'

const key = new Uint8Array(32).fill(7)

it('goes on after an offer for which there is no room, and that nobody has accepted', async () => {
  const { receiver, source, events } = await makePlace({ existing: 'refuse' })
  const [near, far] = connect()
  const met = receiver.meet(far)
  const size = 2 ** 50
  for (const message of [
    { type: 'offer' as const, version: 1, files: 1, bytes: size },
    { type: 'file' as const, name: 'x', size, modified: 0 },
  ]) {
    void near.write(messageFrame(senderCodec.encode(message)))
  }
  await near.close()
  await met
  expect(events).toContainEqual(expect.objectContaining({ event: 'refused', code: 'NO_SPACE' }))
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

/** A receiver that takes everything it is asked about, and a file to send. */
async function makePlace({ existing }: { existing: Existing }) {
  const folder = temporaryFolder()
  const [inbox, source] = [join(folder, 'inbox'), join(folder, 'a')]
  await mkdir(inbox)
  await writeFile(source, 'theirs')
  const events: TransferEvent[] = []
  const asked: string[] = []
  const receiver = new Receiver({
    folder: new Folder(inbox, existing),
    mostBytes: 2 ** 53,
    report: (event) => events.push(event),
    async ask(peer) {
      asked.push(peer)
      return true
    },
  })
  return { receiver, inbox, source, events, asked }
}

async function send(receiver: Receiver, path: string): Promise<void> {
  const files = await findSourceFiles([path], { recursive: false, onSkip: () => undefined })
  const [near, far] = connect()
  const met = receiver.meet(far)
  const nothing = () => undefined
  await sendOver(near, { files, onMoved: nothing, onSettled: nothing, report: nothing })
  await met
}

function connect(): [Connection, Connection] {
  const [near, far] = createPair()
  const facts = { address: 'memory:test', strength: 2, lingerMs: 1_000, remote: key }
  return [
    new Connection(near, { ...facts, role: 'client' }),
    new Connection(far, { ...facts, role: 'server' }),
  ]
}
