import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../core/ed25519.ts'
import { RelayCipher } from '../../../plugs/rtc/relay-cipher.ts'

interface Answers {
  relayKey: string
  frames: { frame: string; client: string; server: string }[]
}

const answers = JSON.parse(
  readFileSync(new URL('../../vectors/relay.json', import.meta.url), 'utf8'),
) as Answers
const relayKey = bytes(answers.relayKey)

beforeAll(ready)

describe('the cipher of a relayed path', () => {
  it.each(['client', 'server'] as const)('gives the known answers as %s', (role) => {
    const mine = new RelayCipher(relayKey, role)
    const theirs = new RelayCipher(relayKey, role === 'client' ? 'server' : 'client')
    for (const answer of answers.frames) {
      expect(hex(mine.seal(bytes(answer.frame)))).toBe(answer[role])
      expect(theirs.open(bytes(answer[role]))).toEqual(bytes(answer.frame))
    }
  })

  it('opens nothing but the next message of the other side, whatever is changed', () => {
    const change = fc.oneof(
      fc.constant({ do: 'repeat' as const }),
      fc.constant({ do: 'skip' as const }),
      fc.constant({ do: 'return' as const }),
      fc.record({ do: fc.constant('flip' as const), at: fc.nat(1_000), bit: fc.nat(7) }),
      fc.record({ do: fc.constant('cut' as const), to: fc.nat(1_000) }),
    )
    const frame = fc.uint8Array({ minLength: 1, maxLength: 1_200 })
    fc.assert(
      fc.property(fc.array(frame, { minLength: 2, maxLength: 5 }), change, (frames, changed) => {
        const [client, server] = [new RelayCipher(relayKey, 'client'), new RelayCipher(relayKey, 'server')]
        const sealed = frames.map((each) => client.seal(each))
        const [first = new Uint8Array(), second = new Uint8Array()] = sealed
        const open = (message: Uint8Array) => server.open(message)
        if (changed.do === 'return') expect(client.open(first)).toBeNull()
        expect(open(first)).toEqual(Uint8Array.from(frames[0] ?? []))
        if (changed.do === 'repeat') expect(open(first)).toBeNull()
        if (changed.do === 'skip' && sealed[2] !== undefined) expect(open(sealed[2])).toBeNull()
        const bad = Uint8Array.from(second)
        if (changed.do === 'cut') expect(open(bad.subarray(0, changed.to % bad.length))).toBeNull()
        if (changed.do !== 'flip') return
        const at = changed.at % bad.length
        bad[at] = (bad[at] ?? 0) ^ (1 << changed.bit)
        expect(open(bad)).toBeNull()
      }),
    )
  })
})

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

function hex(given: Uint8Array): string {
  return Buffer.from(given).toString('hex')
}
