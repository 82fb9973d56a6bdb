import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  hubCloseCodes,
  hubErrorCodes,
  hubMessages,
  hubSubprotocol,
  peerMessages,
  type Table,
} from '../../core/hub-protocol.ts'
import { relayCloseCodes, relaySubprotocol } from '../../core/relay-protocol.ts'
import { byeMessage, encodeFrame, resetCodes, type Frame } from '../../plugs/rtc/frames.ts'
import { decodeSignal } from '../../plugs/rtc/signal-payload.ts'
import { fromText } from '../../core/bytes.ts'

const manual = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
const chapters = new Map(
  manual.split(/^## /m).map((part) => {
    const [title = ''] = part.split('\n')
    return [title, part.slice(title.length)] as const
  }),
)

describe('docs/protocol.md', () => {
  it('has each message of a hub and of a peer with its fields, and no other', () => {
    const [, ofHub = '', ofPeer = ''] = chapter('The hub').split(/^\| from /m)
    expect(toldIn(ofHub)).toEqual(fieldsOf(hubMessages))
    expect(toldIn(ofPeer)).toEqual(fieldsOf(peerMessages))
  })

  it('has the codes of errors and the subprotocols, and those that sockets are closed with', () => {
    const [, codes = ''] = /Codes of `error`: ([^.]*)\./.exec(manual) ?? []
    expect([...codes.matchAll(/`(\w+)`/g)].map(([, code]) => code)).toEqual(hubErrorCodes)
    for (const code of Object.values(hubCloseCodes)) expect(chapter('The hub')).toContain(String(code))
    for (const code of Object.values(relayCloseCodes)) expect(chapter('The relay')).toContain(`${code} (`)
    expect(chapter('The hub')).toContain(hubSubprotocol)
    expect(chapter('The relay')).toContain(relaySubprotocol)
  })

  it('has the frames of a session as they are', () => {
    const bytes = new Uint8Array(16)
    const frames: Frame[] = [
      { type: 'hello', session: bytes, received: 0, limit: 0 },
      { type: 'data', offset: 0, bytes: bytes.subarray(0, 1) },
      { type: 'ack', received: 0, limit: 0 },
      { type: 'end', offset: 0 },
      { type: 'reset', code: 1, text: '' },
      { type: 'ping', id: 0 },
      { type: 'pong', id: 0 },
    ]
    const told = [
      ...chapter('The session').matchAll(/\b([A-Z]{3,5}) +0x0(\d)((?: +(?:0x01|\w+\(\d+(?:\.\.\d*)?\)))+)/g),
    ]
    const sizes = told.map(([, name = '', code, fields = '']) => {
      const parts = fields.trim().split(/ +/)
      const size = parts.reduce((sum, part) => sum + Number(/\((\d+)/.exec(part)?.[1] ?? 1), 1)
      return [name.toLowerCase(), Number(code), size]
    })
    const real = frames.map((frame) => {
      const encoded = encodeFrame(frame)
      return [frame.type, encoded[0], encoded.length]
    })
    expect(sizes).toEqual(real)
    expect(chapter('The session')).toMatch(new RegExp(`^BYE +0x0${byeMessage[0]} `, 'm'))
    for (const code of Object.values(resetCodes))
      expect(chapter('The session')).toMatch(new RegExp(`\\b${code} [a-z]`))
  })

  it('has each kind of signal, and no other', () => {
    const kinds = [...chapter('Signals').matchAll(/^\| `(\w+)`/gm)].map(([, kind = '']) => kind)
    expect(kinds).toEqual(['offer', 'answer', 'refused', 'description', 'candidate', 'relay', 'frame'])
    const samples = {
      offer: {
        session: 'A'.repeat(22),
        resume: false,
        transforms: ['shs2'],
        relay: 'first',
        sdp: 'v=0',
        early: true,
        split: true,
        bye: true,
        direct: true,
      },
      answer: { relayKey: 'A'.repeat(43), sdp: 'v=0', bye: true },
      refused: { code: 'BUSY' },
      description: { sdp: 'v=0' },
      candidate: { candidate: '', mid: '0' },
      relay: {},
      frame: { frame: 'AAAA' },
    }
    for (const [kind, fields] of Object.entries(samples)) {
      const decoded = decodeSignal(fromText(JSON.stringify({ kind, ...fields })))
      expect(Object.keys(decoded).toSorted()).toEqual(Object.keys({ kind, ...fields }).toSorted())
      for (const name of Object.keys(fields)) expect(rowOf(kind)).toContain(`\`${name}`)
    }
  })
})

function chapter(title: string): string {
  return chapters.get(title) ?? ''
}

function rowOf(kind: string): string {
  return chapter('Signals')
    .split('\n')
    .filter((line) => line.startsWith(`| \`${kind}\``))
    .join()
}

/** `name {field, optional?}` in the code of a table. */
function toldIn(table: string): Record<string, string[]> {
  const messages = [...table.matchAll(/`([a-z-]+) \{([^}]*)\}`/g)]
  return Object.fromEntries(
    messages.map(([, name = '', fields = '']) => [name, fields.split(/, */).filter(Boolean).toSorted()]),
  )
}

function fieldsOf(table: Table): Record<string, string[]> {
  const told = (shape: Table[string]) =>
    Object.entries(shape).map(([name, field]) => ('optional' in field ? `${name}?` : name))
  return Object.fromEntries(Object.entries(table).map(([name, shape]) => [name, told(shape).toSorted()]))
}
