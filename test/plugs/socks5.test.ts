import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../core/byte-reader.ts'
import { concat, fromText } from '../../core/bytes.ts'
import { MultiserverError } from '../../core/errors.ts'
import { createPair } from '../../core/pair.ts'
import { connectBySocks5, type Socks5Request } from '../../plugs/socks5.ts'
import { failure } from '../support/failure.ts'
import type { Bytes, ByteStream } from '../../core/types.ts'

const request: Socks5Request = { host: 'example.onion', port: 8008 }
const credentials = { username: 'user', password: 'pässword' }
const noMethod = [5, 0]
const passwordMethod = [5, 2]
const fine = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]

describe('what the proxy is asked', () => {
  it.each<[string, Socks5Request, number[]]>([
    ['a name, as it is', request, [3, 13, ...fromText('example.onion'), 0x1f, 0x48]],
    ['an IPv4 address', { host: '192.0.2.7', port: 1 }, [1, 192, 0, 2, 7, 0, 1]],
    [
      'an IPv6 address',
      { host: '2001:db8::9', port: 65_535 },
      [4, 0x20, 1, 0xd, 0xb8, ...zeros(11), 9, 255, 255],
    ],
    ['what only looks like an address', { host: '1.2.3', port: 256 }, [3, 5, ...fromText('1.2.3'), 1, 0]],
  ])('is %s', async (_what, asked, expected) => {
    const { proxy, connecting } = start(asked)
    expect(await proxy.read(3)).toEqual(Uint8Array.of(5, 1, 0))
    await proxy.say(noMethod)
    expect([...(await proxy.read(3 + expected.length))]).toEqual([5, 1, 0, ...expected])
    await proxy.say(fine)
    await connecting
  })

  it('is told the username and the password where it wants them', async () => {
    const { proxy, connecting } = start({ ...request, credentials })
    expect(await proxy.read(4)).toEqual(Uint8Array.of(5, 2, 2, 0))
    await proxy.say(passwordMethod)
    const [name, secret] = [fromText('user'), fromText('pässword')]
    const told = concat(Uint8Array.of(1, 4), name, Uint8Array.of(9), secret)
    expect(await proxy.read(told.length)).toEqual(told)
    await proxy.say([1, 0])
    expect((await proxy.read(4))[1]).toBe(1)
    await proxy.say(fine)
    await connecting
  })

  it('is not told the password where it does not want it', async () => {
    const { proxy, connecting } = start({ ...request, credentials })
    await proxy.read(4)
    await proxy.say(noMethod)
    expect(await proxy.read(4)).toEqual(Uint8Array.of(5, 1, 0, 3))
    await proxy.say(fine)
    await connecting
  })
})

describe('what the proxy answers', () => {
  it.each([
    ['an IPv4 address', [1, ...zeros(4)]],
    ['an IPv6 address', [4, ...zeros(16)]],
    ['a name', [3, 5, ...fromText('proxy')]],
    ['an empty name', [3, 0]],
  ])('may come from %s, and what follows is the connection', async (_what, address) => {
    const { proxy, connecting } = start()
    await proxy.say([...noMethod, 5, 0, 0, ...address, 1, 2, ...fromText('first bytes')])
    const { read } = await connecting
    expect(await read()).toEqual(fromText('first bytes'))
    await proxy.say([...fromText('and more')])
    expect(await read()).toEqual(fromText('and more'))
    await proxy.end()
    expect(await read()).toBeNull()
  })

  it('may come one byte at a time', async () => {
    const { proxy, connecting } = start({ ...request, credentials })
    for (const byte of [...passwordMethod, 1, 0, ...fine, 7]) await proxy.say([byte])
    const { read } = await connecting
    expect(await read()).toEqual(Uint8Array.of(7))
  })

  it.each([
    [1, 'general failure'],
    [2, 'its rules do not allow the connection'],
    [3, 'the network is unreachable'],
    [4, 'the host is unreachable'],
    [5, 'the connection was refused'],
    [6, 'the time to live expired'],
    [7, 'it can not connect'],
    [8, 'it does not know this type of address'],
    [9, 'reply 9'],
    [0xf0, 'no descriptor of the onion service can be found'],
    [0xf4, 'the onion service wants a client authorization'],
    [0xff, 'reply 255'],
  ])('with reply %i is CONNECT_FAILED in words, though nothing follows', async (reply, words) => {
    const { proxy, connecting } = start()
    await proxy.say([...noMethod, 5, reply])
    const error = await failure(connecting)
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: `the proxy says: ${words}` })
  })

  it.each([
    ['wants a password and there is none', undefined, [5, 0xff], /nobody without a username/],
    ['knows neither', credentials, [5, 0xff], /neither passwords/],
    ['does not know the password', credentials, [...passwordMethod, 1, 1], /refused the user name/],
  ])('with CONNECT_FAILED when it %s', async (_what, known, answer, message) => {
    const { proxy, connecting } = start({ ...request, credentials: known })
    await proxy.say(answer)
    const error = await failure(connecting)
    expect(error).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(error.message).toMatch(message)
  })

  it.each([
    ['speaks HTTP', [...fromText('HTTP/1.1 400 Bad Request\r\n\r\n')], /byte 72/],
    ['speaks SOCKS4', [0, 0x5b, 0, 0], /byte 0/],
    ['chooses a method that was not offered', passwordMethod, /the method 2, which was not offered/],
    ['chooses GSSAPI', [5, 1], /the method 1/],
    ['answers with another version later', [...noMethod, 4, 0], /byte 4/],
    ['has an address of no type', [...noMethod, 5, 0, 0, 2, 0, 0], /type 2/],
  ])('with PROTOCOL when it %s', async (_what, answer, message) => {
    const { proxy, connecting } = start()
    await proxy.say(answer)
    const error = await failure(connecting)
    expect(error).toMatchObject({ code: 'PROTOCOL' })
    expect(error.message).toMatch(message)
  })

  it('is CONNECT_FAILED wherever it is cut off', async () => {
    const whole = [...passwordMethod, 1, 0, 5, 0, 0, 3, 4, ...fromText('host'), 0, 80]
    for (let cut = 0; cut < whole.length; cut++) {
      const { proxy, connecting } = start({ ...request, credentials })
      await proxy.say(whole.slice(0, cut))
      await proxy.end()
      expect(await failure(connecting), `cut after ${cut}`).toMatchObject({
        code: 'CONNECT_FAILED',
        message: 'the proxy hung up',
      })
    }
  })

  it('that never come wait for the abort of the stream, and give its reason', async () => {
    const { client, connecting } = start()
    const reason = new MultiserverError('TIMEOUT')
    client.abort(reason)
    await expect(connecting).rejects.toBe(reason)
  })
})

describe('any answer', () => {
  const bytes = fc.uint8Array({ maxLength: 40 })
  /** Near to what is right, so that each step is got to. */
  const likely = fc
    .tuple(
      fc.constantFrom(noMethod, passwordMethod, [5]),
      fc.constantFrom([1, 0], [], [1]),
      fc.constantFrom([5, 0, 0], [5, 0], [5, 4, 0]),
      fc.constantFrom([1, 0, 0, 0, 0], [4, ...zeros(16)], [3, 2, 0, 0], [3], [9]),
      bytes,
    )
    .map(([...parts]) => Uint8Array.from(parts.flatMap((part) => [...part])))

  it('ends in a connection or in an error with a code, and keeps what comes after it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(bytes, likely),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 12 }),
        fc.boolean(),
        async (answer, cuts, withCredentials) => {
          const known = withCredentials ? credentials : undefined
          const { proxy, connecting } = start({ ...request, credentials: known })
          for (const piece of cutUp(answer, cuts)) await proxy.say([...piece])
          await proxy.end()
          const outcome = await connecting.catch((error: unknown) => error)
          const expected = understand(answer, withCredentials)
          if (expected === undefined) {
            expect(outcome).toBeInstanceOf(MultiserverError)
            expect(['CONNECT_FAILED', 'PROTOCOL']).toContain((outcome as MultiserverError).code)
          } else {
            expect(await readToEnd(outcome as Pick<ByteStream, 'read'>)).toEqual(expected)
          }
        },
      ),
      { numRuns: 10_000 },
    )
  })
})

/** The simplest way to say the same: what follows the answers when all of them are right, else undefined. */
function understand(answer: Uint8Array, withCredentials: boolean): Uint8Array | undefined {
  let rest = answer
  const take = (length: number) => {
    const taken = rest.slice(0, length)
    rest = rest.slice(length)
    return taken.length === length ? [...taken] : undefined
  }
  const choice = take(2)
  if (choice?.[0] !== 5) return undefined
  if (choice[1] === 2 && withCredentials) {
    if (take(2)?.join() !== '1,0') return undefined
  } else if (choice[1] !== 0) return undefined
  const head = take(4)
  if (head === undefined || head[0] !== 5 || head[1] !== 0) return undefined
  const lengths: Record<number, () => number | undefined> = { 1: () => 4, 4: () => 16, 3: () => take(1)?.[0] }
  const length = lengths[head[3] ?? 0]?.()
  return length === undefined || take(length + 2) === undefined ? undefined : rest
}

function cutUp(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let rest = bytes
  for (const size of sizes) {
    pieces.push(rest.slice(0, size))
    rest = rest.slice(size)
  }
  return [...pieces, rest].filter((piece) => piece.length > 0)
}

function start(asked: Socks5Request = request) {
  const [client, far] = createPair()
  const reader = new ByteReader(far)
  const connecting = connectBySocks5(client, asked)
  // Some tests look at it late.
  connecting.catch(() => undefined)
  const proxy = {
    say: (bytes: readonly number[]) => (bytes.length === 0 ? undefined : far.write(Uint8Array.from(bytes))),
    end: () => far.end(),
    async read(length: number): Promise<Bytes> {
      const bytes = await reader.read(length)
      if (bytes === null) throw new Error('the client hung up')
      return bytes
    },
  }
  return { client, proxy, connecting }
}

async function readToEnd({ read }: Pick<ByteStream, 'read'>): Promise<Uint8Array> {
  const chunks: Bytes[] = []
  for (let chunk = await read(); chunk !== null; chunk = await read()) chunks.push(chunk)
  return concat(...chunks)
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}
