import { afterEach, describe, expect, it, vi } from 'vitest'
import { MultiServer, type MultiServer as Server, type DialOptions } from '../../core/multiserver.ts'
import { createPair } from '../../core/pair.ts'
import type { DialStage, Transport } from '../../core/types.ts'
import { failure } from '../support/failure.ts'
import { keyBytes, keyText, stagedNoauth, stagedTransform, stagedTransport, type Proof } from './staged.ts'

const key = keyText(1)

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('choosing what to dial', () => {
  it('takes a stack only when every section fits, one for each plug', async () => {
    const { dial, dialed } = createServer({ stacks: ['net~shs', 'net~noauth', 'net'] })
    expect((await dial(`net:h:1~shs:${key}`)).strength).toBe(1)
    expect((await dial('net:h:2~noauth')).strength).toBe(0)
    expect((await dial('net:h:3')).strength).toBe(0)
    expect(dialed()).toEqual(['net:h:1', 'net:h:2', 'net:h:3'])
  })

  it.each([
    ['a section is missing', 'net~shs', 'net:h:1'],
    ['a section is too many', 'net~shs', `net:h:1~shs:${key}~noauth`],
    ['a bare stack meets a secured address', 'net', `net:h:1~shs:${key}`],
    ['noauth meets shs', 'net~noauth', `net:h:1~shs:${key}`],
    ['shs meets shs2', 'net~shs', `net:h:1~shs2:${key}`],
    ['shs meets shs without a key', 'net~shs', 'net:h:1~shs'],
    ['shs meets a key of 31 bytes', 'net~shs', `net:h:1~shs:${keyText(1).slice(0, 40)}`],
    ['the transport is another', 'net~shs', `ws://h~shs:${key}`],
  ])('refuses with NO_STACK_FITS when %s', async (_why, stack, address) => {
    const { dial, dialed } = createServer({ stacks: [stack] })
    expect(await failure(dial(address))).toMatchObject({
      code: 'NO_STACK_FITS',
      address,
      message: expect.stringContaining(stack),
    })
    expect(dialed()).toEqual([])
  })

  it('says what this program lacks when the peer has moved on', async () => {
    const { dial } = createServer({ stacks: ['net~shs'] })
    const error = await failure(dial(`net:h:1~shs2:${key};pigeon:loft~shs2:${key}`))
    expect(error.message).toContain('It lacks shs2, pigeon: update this program')
  })

  it('skips alternatives that nobody here understands', async () => {
    const { dial, dialed } = createServer({ stacks: ['net'] })
    await dial('fake:peer.ignore;net:h:1;carrier-pigeon:7')
    expect(dialed()).toEqual(['net:h:1'])
  })

  it('refuses what is no address, and alternatives with different keys, without dialing', async () => {
    const { dial, dialed } = createServer({ stacks: ['net~shs', 'net'] })
    expect(await failure(dial(';'))).toMatchObject({ code: 'ADDRESS_INVALID' })
    const two = `net:h:1~shs:${key};net:h:2~shs2:${keyText(2)}`
    expect(await failure(dial(two))).toMatchObject({ code: 'ADDRESS_INVALID', address: two })
    expect(dialed()).toEqual([])
  })

  it('gives the transport the key and the names of the transforms', async () => {
    const { server, transports } = createServer({ stacks: ['net~shs2'], staged: true })
    const dialing = server.client(`net:h:1~shs2:${key}`)
    const [dial] = transports['net']?.dials ?? []
    expect(dial?.context.remoteKey).toEqual(keyBytes(1))
    expect(dial?.context.transforms).toEqual(['shs2'])
    dial?.connect()
    await dialing
  })
})

describe('strength', () => {
  const both = ['net~shs2', 'net~shs']

  it('dials only the strongest alternatives that both sides know', async () => {
    const { dial, dialed } = createServer({ stacks: both })
    const connection = await dial(`net:weak:1~shs:${key};net:strong:1~shs2:${key};net:bare:1`)
    expect(connection).toMatchObject({ strength: 2, address: `net:strong:1~shs2:${key}` })
    expect(dialed()).toEqual(['net:strong:1'])
  })

  it('dials shs where the stronger alternative is not understood', async () => {
    const { dial } = createServer({ stacks: ['net~shs'] })
    expect((await dial(`net:h:1~shs:${key};net:h:2~shs2:${key}`)).strength).toBe(1)
  })

  it.each<Proof>(['failure', 'wrong key', 'no key'])(
    'does not fall to shs after a %s of shs2',
    async (proof) => {
      const { dial, dialed } = createServer({ stacks: both, proofs: { shs2: proof } })
      const error = await failure(dial(`net:strong:1~shs2:${key};net:weak:1~shs:${key}`))
      expect(error.code).toBe('DIAL_FAILED')
      expect(error.attempts).toHaveLength(1)
      expect(dialed()).toEqual(['net:strong:1'])
    },
  )

  it('falls to shs when the caller allows it, and only after every stronger one has failed', async () => {
    const { dial, dialed } = createServer({ stacks: both, proofs: { shs2: 'failure' } })
    const address = `net:weak:1~shs:${key};net:strong:1~shs2:${key};net:strong:2~shs2:${key}`
    expect((await dial(address, { allowDowngrade: true })).strength).toBe(1)
    expect(dialed()).toEqual(['net:strong:1', 'net:strong:2', 'net:weak:1'])
  })

  it('refuses addresses weaker than minStrength', async () => {
    const { dial, dialed } = createServer({ stacks: both })
    const error = await failure(dial(`net:h:1~shs:${key}`, { minStrength: 2 }))
    expect(error.code).toBe('DOWNGRADE_REFUSED')
    expect((await dial(`net:h:1~shs2:${key}`, { minStrength: 2 })).strength).toBe(2)
    expect(dialed()).toEqual(['net:h:1'])
  })

  it('keeps to minStrength when a downgrade is allowed', async () => {
    const { dial, dialed } = createServer({
      stacks: [...both, 'net'],
      proofs: { shs2: 'failure', shs: 'failure' },
    })
    const address = `net:a:1~shs2:${key};net:b:1~shs:${key};net:c:1`
    expect(await failure(dial(address, { allowDowngrade: true, minStrength: 1 }))).toMatchObject({
      code: 'DIAL_FAILED',
    })
    expect(dialed()).toEqual(['net:a:1', 'net:b:1'])
  })

  it.each([
    ['a secured one beside it', `net:h:1;net:h:2~shs:${key}`],
    ['noauth beside a secured one', `net:h:1~noauth;net:h:2~shs:${key}`],
    ['a transform that nobody here knows', `net:h:1;net:h:2~pigeon-seal:x`],
    ['a secured one over a transport that nobody here knows', `net:h:1;pigeon:2~shs:${key}`],
  ])('counts a plain alternative with %s as a downgrade', async (_what, address) => {
    const { dial, dialed } = createServer({ stacks: ['net', 'net~noauth'] })
    expect(await failure(dial(address))).toMatchObject({ code: 'DOWNGRADE_REFUSED', address })
    // 0 is what minStrength is anyway: to say so allows nothing.
    expect(await failure(dial(address, { minStrength: 0 }))).toMatchObject({ code: 'DOWNGRADE_REFUSED' })
    expect(dialed()).toEqual([])
    expect((await dial(address, { allowDowngrade: true })).strength).toBe(0)
  })

  it('dials plain alternatives when there is nothing better', async () => {
    const { dial } = createServer({ stacks: ['net', 'net~noauth'] })
    expect((await dial('net:h:1;net:h:2~noauth')).strength).toBe(0)
  })
})

describe('the key that is proved', () => {
  it('is the one in the address', async () => {
    const { dial } = createServer({ stacks: ['net~shs'] })
    expect((await dial(`net:h:1~shs:${key}`)).remote).toEqual(keyBytes(1))
  })

  it.each<Proof>(['wrong key', 'no key'])(
    'is missed as WRONG_KEY even by a transform that forgot: %s',
    async (proof) => {
      const { dial, fars } = createServer({ stacks: ['net~shs'], proofs: { shs: proof } })
      const error = await failure(dial(`net:h:1~shs:${key}`))
      expect(error.attempts?.[0]).toMatchObject({ code: 'WRONG_KEY', address: `net:h:1~shs:${key}` })
      expect(await failure(fars[0]?.read() ?? Promise.resolve())).toMatchObject({ code: 'CONNECTION_LOST' })
    },
  )
})

describe('what a dial tells', () => {
  it('is each attempt with its address, code and cause when all fail', async () => {
    const { server, transports } = createServer({ stacks: ['net~shs', 'ws~shs'], staged: true })
    const dialing = failure(server.client(`net:h:1~shs:${key};ws://h~shs:${key}`))
    const refused = new Error('refused')
    transports['net']?.dials[0]?.fail(refused)
    await vi.waitFor(() => expect(transports['ws']?.dials).toHaveLength(1))
    transports['ws']?.dials[0]?.fail(new Error('no route'))
    const error = await dialing
    expect(error).toMatchObject({ code: 'DIAL_FAILED', message: expect.stringMatching(/refused.*no route/) })
    expect(error.attempts).toMatchObject([
      { code: 'CONNECT_FAILED', address: `net:h:1~shs:${key}`, message: 'refused', cause: refused },
      { code: 'CONNECT_FAILED', address: `ws://h~shs:${key}`, message: 'no route' },
    ])
    expect(error.cause).toBe(error.attempts?.[0])
  })

  it('is its stages, with the alternative', async () => {
    const { dial } = createServer({ stacks: ['net~shs'] })
    const stages: [DialStage, string][] = []
    await dial(`net:h:1~shs:${key}`, { onProgress: ({ stage, address }) => stages.push([stage, address]) })
    expect(stages).toEqual([
      ['transport', `net:h:1~shs:${key}`],
      ['secured', `net:h:1~shs:${key}`],
    ])
  })

  it('neither fails nor leaks the dial when the listener throws, who hears of it outside', async () => {
    const outside: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => outside.push(task))
    const { dial, dialed, fars } = createServer({ stacks: ['net~shs'] })
    const onProgress = ({ stage }: { stage: DialStage }) => {
      throw new Error(`the listener threw at ${stage}`)
    }
    const connection = await dial(`net:h:1~shs:${key}`, { onProgress })
    expect(connection.error).toBeUndefined()
    expect(dialed()).toEqual(['net:h:1'])
    // A microtask that throws is an uncaught exception: it goes where those of the caller go.
    expect(outside).toHaveLength(2)
    expect(outside[0]).toThrow('the listener threw at transport')
    expect(outside[1]).toThrow('the listener threw at secured')
    connection.abort()
    expect(await failure(fars[0]?.read() ?? Promise.resolve())).toMatchObject({ code: 'CONNECTION_LOST' })
  })
})

interface Setup {
  /** Names of plugs: `net~shs`. */
  readonly stacks: readonly string[]
  readonly proofs?: Partial<Record<string, Proof>>
  /** Leaves dials to the test; else each connects at once. */
  readonly staged?: boolean
}

function createServer({ stacks, proofs = {}, staged = false }: Setup) {
  const dialed: string[] = []
  const fars: ReturnType<typeof createPair>[0][] = []
  const transports: Record<string, ReturnType<typeof stagedTransport>> = {
    net: stagedTransport('net'),
    ws: stagedTransport('ws'),
  }
  const open = (transport: Transport): Transport => ({
    ...transport,
    parse: (section) =>
      transport.parse(section) && {
        dial() {
          dialed.push(section)
          const [near, far] = createPair()
          fars.push(far)
          return Promise.resolve(near)
        },
      },
  })
  const transforms = {
    shs: stagedTransform('shs', 1, () => proofs['shs'] ?? 'right key'),
    shs2: stagedTransform('shs2', 2, () => proofs['shs2'] ?? 'right key'),
    noauth: stagedNoauth(),
  }
  const server: Server = MultiServer(
    stacks.map((names) => {
      const [first = '', ...rest] = names.split('~')
      const transport = transports[first] ?? stagedTransport(first)
      return [
        staged ? transport : open(transport),
        ...rest.map((name) => transforms[name as keyof typeof transforms]),
      ]
    }),
  )
  return {
    server,
    transports,
    fars,
    dialed: () => dialed,
    dial: (address: string, options: DialOptions = {}) => server.client(address, options),
  }
}
