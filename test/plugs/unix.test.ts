import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve as resolvePath } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatAddress, parseAddress } from '../../core/address.ts'
import { fromText } from '../../core/bytes.ts'
import { MultiServer } from '../../core/multiserver.ts'
import memory from '../../plugs/memory.ts'
import noauth from '../../plugs/noauth.ts'
import unix from '../../plugs/unix.ts'
import { failure } from '../support/failure.ts'
import { dial, listen, nextAccepted, type Listening } from '../support/listening.ts'

/** The longest path of a unix socket here: `sun_path` without the zero at its end. */
const longest = process.platform === 'linux' ? 107 : 103
const open: (() => unknown)[] = []
let folder = ''

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'unix-test-')))
})

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true, force: true })
  await vi.waitFor(() => expect(countPipes()).toBe(0))
})

describe('the address of unix', () => {
  it.each(['unix:/tmp/socket', 'unix:/a:b/c', 'unix:/a!;b!~c!!d!:e f', String.raw`unix:\\?\pipe\ssb\socket`])(
    '%s can be dialed',
    (section) => {
      expect(unix().parse(section)).not.toBeNull()
    },
  )

  it.each(['unix', 'unix:', 'unixx:/a', 'net:/a:1', 'unix:\0abstract', 'unix:/a;unix:/b', 'unix:/a~noauth'])(
    '%j is none',
    (section) => {
      expect(unix().parse(section)).toBeNull()
    },
  )

  it('prints any path such that it parses to the same path again', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('/ab :;~!%é"\\')), minLength: 1, maxLength: 60 }),
        (name) => {
          const path = resolvePath('/nowhere', `./${name}`)
          const [section = ''] = unix({ path }).addresses('device')
          const parsed = parseAddress(section)
          expect(parsed).toEqual([[{ name: 'unix', data: path.split(':') }]])
          expect(formatAddress(parsed)).toBe(section)
          expect(unix().parse(section)).not.toBeNull()
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('reaches a socket whose name has every special character', async () => {
    const path = join(folder, 'a:b;c~d!e f')
    const listening = await start(unix({ path }))
    const [section = ''] = listening.listener.addresses('device')
    expect(section).toBe(`unix:${folder}/a:b!;c!~d!!e f`)
    await exchange(listening, section)
  })

  it('is printed for the device only, whatever scope is asked for', async () => {
    const path = join(folder, 'socket')
    for (const scope of [undefined, 'device', 'public', ['device', 'local']]) {
      const transport = unix({ path, scope })
      expect(transport.addresses('device')).toEqual([`unix:${path}`])
      expect(transport.addresses('local')).toEqual([])
      const { listener } = await start(transport)
      expect(listener.addresses('device')).toEqual([`unix:${path}`])
      expect(listener.addresses('public')).toEqual([])
      await listener.close()
    }
  })

  it('is absolute, and `socket` inside an existing directory', () => {
    expect(unix({ path: folder }).addresses('device')).toEqual([`unix:${folder}/socket`])
    const path = join(folder, 'sock')
    expect(unix({ path: relative(process.cwd(), path) }).addresses('device')).toEqual([`unix:${path}`])
  })

  it('is not printed, and no socket made, with listen: false', async () => {
    const ms = MultiServer([memory({ name: 'beside unix' }), unix({ path: folder, listen: false })])
    const close = ms.server(() => undefined)
    await close.listening
    expect(ms.stringify()).toBe('memory:beside unix')
    expect(readdirSync(folder)).toEqual([])
    await close()
  })
})

describe('listening', () => {
  it('makes a private directory of its own without a path, and removes it', async () => {
    const transport = unix()
    expect(transport.addresses('device')).toEqual([])
    const [first, second] = [await start(transport), await start(transport)]
    const [one, other] = [pathOf(first), pathOf(second)]
    expect(one).not.toBe(other)
    expect(statSync(dirname(one)).mode & 0o777).toBe(0o700)
    await exchange(first, `unix:${one}`)
    await exchange(second, `unix:${other}`)
    await first.listener.close()
    expect(existsSync(dirname(one))).toBe(false)
    await second.listener.close()
    expect(existsSync(dirname(other))).toBe(false)
  })

  it('serves several in one process, each on its own', async () => {
    const servers = ['a', 'b'].map((name) => MultiServer([[unix({ path: join(folder, name) }), noauth()]]))
    for (const [index, server] of servers.entries()) {
      const close = server.server((connection) => void connection.write(fromText(String(index))))
      open.push(close)
      await close.listening
    }
    for (const [index, server] of servers.entries()) {
      const client = await MultiServer([[unix(), noauth()]]).client(server.stringify())
      expect(await client.read()).toEqual(fromText(String(index)))
      client.abort()
    }
  })

  it('leaves nothing in the directory but a socket of mode 0600, and nothing when it is closed', async () => {
    const { listener } = await start(unix({ path: folder }))
    expect(readdirSync(folder)).toEqual(['socket'])
    expect(statSync(join(folder, 'socket')).mode & 0o777).toBe(0o600)
    await listener.close()
    await listener.close()
    expect(readdirSync(folder)).toEqual([])
  })

  it('shows its name never with another mode', async () => {
    const path = join(folder, 'socket')
    const modes = new Set<number>()
    let turn: NodeJS.Immediate
    const watch = () => {
      const there = statSync(path, { throwIfNoEntry: false })
      if (there !== undefined) modes.add(there.mode & 0o777)
      turn = setImmediate(watch)
    }
    watch()
    open.push(() => clearImmediate(turn))
    for (let round = 0; round < 50; round++) {
      const { listener } = await start(unix({ path }))
      await listener.close()
    }
    expect([...modes]).toEqual([0o600])
  })

  it('takes over the socket of a process that was killed', async () => {
    const path = join(folder, 'socket')
    await leaveStale(path)
    const listening = await start(unix({ path }))
    await exchange(listening, `unix:${path}`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('says LISTEN_FAILED where somebody listens, who goes on', async () => {
    const path = join(folder, 'socket')
    const listening = await start(unix({ path }))
    const error = await failure(listen(unix({ path })))
    expect(error).toMatchObject({ code: 'LISTEN_FAILED' })
    expect(error.message).toBe(`could not listen at ${path}: somebody listens there already`)
    expect(readdirSync(folder)).toEqual(['socket'])
    await exchange(listening, `unix:${path}`)
  })

  it('says LISTEN_FAILED for a file that is no socket, and leaves it', async () => {
    const path = join(folder, 'precious')
    writeFileSync(path, 'data')
    expect((await failure(listen(unix({ path })))).message).toContain('that is no socket')
    expect(readdirSync(folder)).toEqual(['precious'])
  })

  it('says LISTEN_FAILED with the cause where there is no directory', async () => {
    const error = await failure(listen(unix({ path: join(folder, 'no', 'where') })))
    expect(error).toMatchObject({ code: 'LISTEN_FAILED', cause: { code: 'ENOENT' } })
  })

  it('takes a path as long as the system has, and says of a longer one how long it may be', async () => {
    const fits = join(folder, 'x'.repeat(longest - folder.length - 1))
    await exchange(await start(unix({ path: fits })), `unix:${fits}`)
    const bytes = new RegExp(`has ${longest + 1} bytes; .* at most ${longest} here`)
    const listening = await failure(listen(unix({ path: `${fits}x` })))
    expect(listening).toMatchObject({ code: 'LISTEN_FAILED' })
    expect(listening.message).toMatch(bytes)
    const dialing = await failure(dial(unix(), `unix:${fits}x`))
    expect(dialing).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(dialing.message).toMatch(bytes)
    // It is bytes that count, not characters.
    expect((await failure(listen(unix({ path: `${fits.slice(0, -1)}é` })))).message).toMatch(bytes)
  })

  it('takes the longest path in a deep directory as well', async () => {
    const deep = join(folder, 'd'.repeat(longest - folder.length - 1 - '/socket'.length))
    mkdirSync(deep)
    await exchange(await start(unix({ path: deep })), `unix:${deep}/socket`)
  })

  it('leaves the socket of whoever took its name over', async () => {
    const path = join(folder, 'socket')
    const { listener } = await start(unix({ path }))
    rmSync(path)
    const successor = createServer().listen(path)
    await new Promise((resolve) => successor.once('listening', resolve))
    await listener.close()
    expect(existsSync(path)).toBe(true)
    await new Promise((resolve) => successor.close(resolve))
  })
})

describe('dialing', () => {
  it('says CONNECT_FAILED with the cause where nobody listens', async () => {
    const path = join(folder, 'socket')
    expect(await failure(dial(unix(), `unix:${path}`))).toMatchObject({
      code: 'CONNECT_FAILED',
      cause: { code: 'ENOENT' },
    })
    await leaveStale(path)
    expect(await failure(dial(unix(), `unix:${path}`))).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })

  it('rejects with the reason when it was aborted before it began', async () => {
    const { listener } = await start(unix({ path: folder }))
    const [section = ''] = listener.addresses('device')
    const reason = new Error('changed my mind')
    expect(await failure(dial(unix(), section, AbortSignal.abort(reason)))).toMatchObject({
      code: 'ABORTED',
      cause: reason,
    })
  })
})

async function start(transport: ReturnType<typeof unix>): Promise<Listening> {
  const listening = await listen(transport)
  open.push(async () => {
    await listening.listener.close()
    for (const stream of listening.accepted) stream.abort()
  })
  return listening
}

function pathOf({ listener }: Listening): string {
  return listener.addresses('device')[0]?.slice('unix:'.length) ?? ''
}

async function exchange(listening: Listening, section: string): Promise<void> {
  const count = listening.accepted.length + 1
  const client = await dial(unix(), section)
  const server = await nextAccepted(listening, count)
  await client.write(fromText('ping'))
  expect(await server.read()).toEqual(fromText('ping'))
  expect(server.info?.address).toBe(section)
  client.abort()
  server.abort()
  await Promise.all([client.closed, server.closed])
}

/** A socket file whose process is gone without having removed it. */
async function leaveStale(path: string): Promise<void> {
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.stdout.write('on'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
  await expect(
    new Promise((resolve, reject) => connect({ path }).once('error', reject).once('connect', resolve)),
  ).rejects.toMatchObject({ code: 'ECONNREFUSED' })
}

function countPipes(): number {
  const kinds = ['PipeServerWrap', 'PipeConnectWrap']
  return process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length
}
