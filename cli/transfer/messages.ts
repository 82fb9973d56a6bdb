/**
 * What sender and receiver of files say to each other over one connection whose ends have proved their keys.
 *
 *   sender                                             receiver
 *     offer {version, files, bytes, folders?}
 *     file {name, size, modified, executable?} × files  ->
 *                                              <-  accept {folders?}    or refuse {code, why}, here and later: it is over
 *                              for each file, in order:
 *                                              <-  want {file, offset}  or skip {file, code, why}
 *     folder {name} × folders              ->      only if the receiver takes them: with nothing in them
 *                                              <-  skip {file, code, why}, for those in whose place something is
 *                     for each wanted file, in order:
 *     prefix {file, sha256}                ->      if offset > 0: of the first `offset` bytes
 *                                              <-  go {file, offset}    0 if they are others; or skip
 *     DATA…  end {file, sha256}            ->      of the whole file; or gone {file, code, why}, before or among DATA
 *                                              <-  done {file}          it is on the disk under its name; or skip
 *     ends the stream                              once every file is done, skipped or gone
 *
 * Either side says alive {} when it has said nothing else for a while. `file` counts from 0, and folders on from the last
 * file. Fields that are not in the tables below are ignored: those with a question mark are younger than the others.
 */
import { bytes, type Field, flag, oneOf, optional, text, whole } from '../../core/hub-fields.ts'
import { decodeBy, encodeBy, type MessageOf } from '../../core/hub-protocol.ts'
import { transferLimits } from './limits.ts'

export const transferVersion = 1

/** Why a receiver takes nothing, or nothing more. BUSY passes. */
export const refusalCodes = [
  'BUSY',
  'DECLINED',
  'FAILED',
  'NO_SPACE',
  'TOO_LARGE',
  'TOO_MANY',
  'VERSION',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

/** Why a receiver does not take one file: its name is taken, something is in its way, or other bytes came than were sent. */
export const skipCodes = ['EXISTS', 'BLOCKED', 'DAMAGED'] as const
export type SkipCode = (typeof skipCodes)[number]

/** Why a sender does not send a file that it offered. */
export const goneCodes = ['CHANGED', 'UNREADABLE'] as const
export type GoneCode = (typeof goneCodes)[number]

export function isGoneCode(code: string): code is GoneCode {
  return goneCodes.some((known) => known === code)
}

/** A name as its sender has it: only what `safe-path.ts` makes of it touches a disk or a terminal. */
export const rawName: Field<string> = {
  decode: (value) =>
    typeof value === 'string' && value.length > 0 && value.length <= transferLimits.nameCharacters
      ? value
      : undefined,
  encode: (value) => value,
}

const file = whole(transferLimits.files - 1)
const size = whole(transferLimits.fileBytes)
const why = text(256)
const sha256 = bytes(32)

const senderMessages = {
  offer: {
    version: whole(2 ** 31),
    files: whole(2 ** 31),
    bytes: whole(Number.MAX_SAFE_INTEGER),
    folders: optional(whole(2 ** 31)),
  },
  file: {
    name: rawName,
    size,
    modified: whole(transferLimits.latestMs),
    /** All that crosses of its mode: its owner may execute it. */
    executable: optional(flag()),
  },
  folder: { name: rawName },
  prefix: { file, sha256 },
  end: { file, sha256 },
  gone: { file, code: oneOf(goneCodes, 'UNREADABLE'), why },
  alive: {},
}

const receiverMessages = {
  /** `folders`: whether those are taken that have nothing in them. */
  accept: { folders: optional(flag()) },
  refuse: { code: oneOf(refusalCodes, 'FAILED'), why },
  want: { file, offset: size },
  skip: { file, code: oneOf(skipCodes, 'BLOCKED'), why },
  go: { file, offset: size },
  done: { file },
  alive: {},
}

export type SenderMessage = MessageOf<typeof senderMessages>
export type ReceiverMessage = MessageOf<typeof receiverMessages>

/** Reads and writes the messages of one side. */
export interface Codec<T> {
  /** The message in a fresh object, or null when it is none. Never throws. */
  decode(json: string): T | null
  encode(message: T): string
}

export const senderCodec: Codec<SenderMessage> = {
  decode: (json) => messageIn(decodeBy(senderMessages, json)),
  encode: (message) => encodeBy(senderMessages, message),
}

export const receiverCodec: Codec<ReceiverMessage> = {
  decode: (json) => messageIn(decodeBy(receiverMessages, json)),
  encode: (message) => encodeBy(receiverMessages, message),
}

function messageIn<T>(decoded: { kind: 'message'; message: T } | { kind: string }): T | null {
  return 'message' in decoded ? decoded.message : null
}
