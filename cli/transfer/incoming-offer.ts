import { withDeadline } from '../../core/deadline.ts'
import { MultiserverError } from '../../core/errors.ts'
import type { OfferedFile } from './folder.ts'
import { type FrameReader, protocolError } from './frames.ts'
import { transferLimits } from './limits.ts'
import { transferVersion, type SenderMessage } from './messages.ts'
import { Refusal } from './transfer-error.ts'

/** What a sender has in mind, as far as it says so before anybody has agreed. */
export interface IncomingOffer {
  readonly files: readonly OfferedFile[]
  /** How many folders with nothing in them. */
  readonly folders: number
}

/** @throws Refusal VERSION, TOO_MANY; PROTOCOL, TIMEOUT */
export function readOffer(frames: FrameReader<SenderMessage>): Promise<IncomingOffer> {
  return withDeadline(readNames(frames), transferLimits.offerTimeoutMs, noOffer)
}

/**
 * The names of the folders, which follow on what is said to each of the files.
 *
 * @throws Refusal TOO_MANY; PROTOCOL
 */
export async function readFolders(
  frames: FrameReader<SenderMessage>,
  { files, folders: count }: IncomingOffer,
): Promise<readonly string[]> {
  const folders: string[] = []
  let characters = files.reduce((sum, { name }) => sum + name.length, 0)
  while (folders.length < count) {
    const folder = await frames.message()
    if (folder.type !== 'folder') throw protocolError('something among its folders')
    folders.push(folder.name)
    characters += folder.name.length
    checkCharacters(characters)
  }
  return folders
}

async function readNames(frames: FrameReader<SenderMessage>): Promise<IncomingOffer> {
  const offer = await frames.message()
  if (offer.type !== 'offer') throw protocolError('something before its offer')
  if (offer.version !== transferVersion) {
    throw new Refusal(
      'VERSION',
      `it speaks version ${transferVersion} of the protocol, and the sender ${offer.version}`,
    )
  }
  const { folders = 0 } = offer
  const most = transferLimits.files
  if (offer.files + folders > most) throw new Refusal('TOO_MANY', `at most ${most} files are taken at once`)
  const files: OfferedFile[] = []
  let characters = 0
  while (files.length < offer.files) {
    const file = await frames.message()
    if (file.type !== 'file') throw protocolError('something within its offer')
    const { name, size, modified, executable = false } = file
    files.push({ name, size, modified, executable })
    characters += name.length
    checkCharacters(characters)
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  if (files.length === 0 || bytes !== offer.bytes) throw protocolError('an offer that does not add up')
  return { files, folders }
}

function checkCharacters(characters: number): void {
  if (characters > transferLimits.namesCharacters) throw new Refusal('TOO_MANY', 'the names are too long')
}

function noOffer(): MultiserverError {
  return new MultiserverError('TIMEOUT', 'the far side did not offer anything in time')
}
