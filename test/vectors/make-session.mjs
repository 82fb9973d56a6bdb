/**
 * Writes session.json: known answers for the frames of a session, put together field by field with nothing but
 * Buffer, and messages that are no frames. Run it with `node test/vectors/make-session.mjs`; the output must not change.
 */
import { writeFileSync } from 'node:fs'

const six = (value) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes.subarray(2).toString('hex')
}
const four = (value) => value.toString(16).padStart(8, '0')
const text = (value) => Buffer.from(value).toString('hex')

const session = '06'.repeat(16)
const otherSession = Buffer.from(Array.from({ length: 16 }, (_, index) => 255 - index)).toString('hex')
const longest = 2 ** 48 - 2

const frames = [
  hello('the first HELLO of a session', session, 0, 65_536),
  hello('the HELLO of a later path', otherSession, 0x010203040506, 0x0a0b0c0d0e0f),
  hello('a HELLO after the end of the longest direction', session, longest + 1, longest + 1),
  data('one byte at the beginning', 0, '2a'),
  data('some bytes beyond four gigabytes', 2 ** 32 + 1, 'deadbeef'),
  ack('nothing received', 0, 131_072),
  ack('bytes received beyond 32 bits', 0x1234_5678_9abc, 0x1234_5678_9abd),
  end('of an empty direction', 0),
  end('of the longest direction', longest),
  reset('without a text', 2, ''),
  reset('with a text', 1, 'the peer sent more than it may'),
  reset('with the longest text', 65_535, 'x'.repeat(256)),
  reset('with a text of two-byte characters', 3, 'größer'),
  ...['ping', 'pong'].flatMap((type, index) =>
    [0, 1, 0xfffffffe, 0xffffffff].map((id) => ({
      name: `${type} ${id}`,
      frame: { type, id },
      message: `0${5 + index}${four(id)}`,
    })),
  ),
]

const none = [
  ['an empty message', ''],
  ['HELLO of version 0', `0000${session}${six(0)}${six(0)}`],
  ['HELLO of version 2', `0002${session}${six(0)}${six(0)}`],
  ['HELLO that is a byte short', `0001${session}${six(0)}${six(0).slice(2)}`],
  ['HELLO that is a byte long', `0001${session}${six(0)}${six(0)}00`],
  ['DATA without bytes', `01${six(0)}`],
  ['DATA without an offset', '01'],
  ['ACK without a limit', `02${six(0)}`],
  ['ACK that is a byte long', `02${six(0)}${six(0)}00`],
  ['END without an offset', '03'],
  ['END after more bytes than a direction may have', `03${six(longest + 1)}`],
  ['END that is a byte long', `03${six(0)}00`],
  ['RESET without a code', '04'],
  ['RESET with half a code', '0400'],
  ['RESET with too long a text', `040001${text('x'.repeat(257))}`],
  ['PING without an id', '05'],
  ['PING that is a byte long', '050000000000'],
  ['PONG that is a byte short', '06000000'],
  ['the type after the last', `07${six(0)}`],
  ['the last type there could be', 'ff'],
  ['text', text('{"type":"hello"}')],
].map(([name, message]) => ({ name, message }))

writeFileSync(new URL('session.json', import.meta.url), `${JSON.stringify({ frames, none }, null, 2)}\n`)

function hello(name, id, received, limit) {
  return {
    name: `HELLO: ${name}`,
    frame: { type: 'hello', session: id, received, limit },
    message: `0001${id}${six(received)}${six(limit)}`,
  }
}

function data(name, offset, bytes) {
  return {
    name: `DATA: ${name}`,
    frame: { type: 'data', offset, bytes },
    message: `01${six(offset)}${bytes}`,
  }
}

function ack(name, received, limit) {
  return {
    name: `ACK: ${name}`,
    frame: { type: 'ack', received, limit },
    message: `02${six(received)}${six(limit)}`,
  }
}

function end(name, offset) {
  return { name: `END: ${name}`, frame: { type: 'end', offset }, message: `03${six(offset)}` }
}

function reset(name, code, why) {
  return {
    name: `RESET: ${name}`,
    frame: { type: 'reset', code, text: why },
    message: `04${code.toString(16).padStart(4, '0')}${text(why)}`,
  }
}
