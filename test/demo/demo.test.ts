import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { startHub } from '../../signal-server/index.ts'
import { startDemo, type Demo } from './demo-program.ts'

const timeout = 30_000
/** Processes and their sockets are looked up in /proc. */
const isLinux = process.platform === 'linux'

/** What a test has started, and a failed one has left. */
const demos: Demo[] = []
afterEach(async () => {
  for (const demo of demos.splice(0)) {
    demo.child.kill('SIGTERM')
    await demo.ended
  }
})

function start(...options: Parameters<typeof startDemo>): Demo {
  const demo = startDemo(...options)
  demos.push(demo)
  return demo
}

describe('npm start', () => {
  it('says how it is used, and what it does not understand', async () => {
    const help = start(['--help'])
    expect(await help.ended).toBe(0)
    expect(help.output()).toContain('--port PORT')
    const wrong = start(['--port', 'many'])
    expect(await wrong.ended).toBe(1)
    expect(wrong.output()).toContain('"many" is not a port')
  })

  it.runIf(isLinux)(
    'tells in the terminal how the desktop and the server talk, and ends with all its processes',
    { timeout },
    async () => {
      const demo = start(['--port', '0'])
      await demo.says('the desktop says: “Hello server, I am the desktop.”')
      await demo.says('the server says: “Welcome!')
      await demo.says('was reached by the server over WebRTC (rtc), ')
      await demo.says(/the server(?: over WebRTC \(rtc\),)? directly from peer to peer/)
      await demo.says(/veteran +I am a program on multiserver 3\.8\.2[^]*~tunnel:\S+~shs:/)
      await demo.says(/Open http:\/\/127\.0\.0\.1:\d+ in a browser/)
      const pids = [demo.pid, ...childrenOf(demo.pid)]
      expect(pids.length).toBe(4)
      demo.child.kill('SIGTERM')
      expect(await demo.ended).toBe(0)
      expect(pids.filter(isAlive)).toEqual([])
    },
  )

  it('says that a port is in use', { timeout }, async () => {
    const first = start(['--port', '0'])
    const port = new URL(await first.url).port
    const second = start(['--port', port])
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain('That port is in use')
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })

  it.runIf(isLinux)('takes its peers along when it is killed', { timeout }, async () => {
    const demo = start(['--port', '0'])
    await demo.url
    const pids = childrenOf(demo.pid)
    demo.child.kill('SIGKILL')
    await demo.ended
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([])
  })

  it.each(['server', 'desktop', 'veteran'])(
    'has a %s that goes when its parent is gone, with no hub to be found',
    { timeout },
    async (name) => {
      const script = fileURLToPath(new URL(`../../dist/cli/demo-${name}.js`, import.meta.url))
      const peer = fork(script, ['ws://127.0.0.1:1'], { silent: true, execArgv: [] })
      peer.disconnect()
      // By itself, whatever it was about to do.
      const [, signal] = (await once(peer, 'exit')) as [number | null, NodeJS.Signals | null]
      expect(signal).toBeNull()
    },
  )

  // What listens can be read from /proc.
  it.skipIf(process.platform !== 'linux')(
    'has a desktop without a listening socket',
    { timeout },
    async () => {
      // Nobody dials it here: while WebRTC looks for a path, and that takes long, it listens for ICE over TCP by itself.
      const hub = await startHub({ port: 0 })
      const desktop = start([hub.url], 'demo-desktop')
      await desktop.says('My address is rtc:')
      expect(listeningSockets(process.pid)).toBeGreaterThan(0)
      expect(listeningSockets(desktop.pid)).toBe(0)
      desktop.child.kill('SIGTERM')
      expect(await desktop.ended).toBe(0)
      await hub.close()
    },
  )

  it('restarts its hub for its own page and for no other', { timeout }, async () => {
    const demo = start(['--port', '0'])
    const restart = async (origin: string) => {
      const { status } = await fetch(new URL('/demo/restart-hub', await demo.url), {
        method: 'POST',
        headers: { origin },
      })
      return status
    }
    expect(await restart('https://example.com')).toBe(403)
    expect(demo.output()).not.toContain('wants to see me restart')
    expect(await restart(await demo.url)).toBe(202)
    await demo.says('wants to see me restart')
    const url = await demo.url
    const answers = () =>
      fetch(new URL('/livez', url)).then(
        ({ ok }) => ok,
        () => false,
      )
    await expect.poll(answers, { timeout }).toBe(false)
    await expect.poll(answers, { timeout }).toBe(true)
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toBe(0)
  })

  it.runIf(isLinux)('starts a peer that died again, with its key', { timeout }, async () => {
    const demo = start(['--port', '0'])
    await demo.says('the server says: “Hello desktop!')
    const [server, desktop] = childrenOf(demo.pid)
    const addresses = () =>
      [...demo.output().matchAll(/My address is (rtc:[^\s~]+~shs:\S+)/g)].map(([, address]) => address)
    process.kill(desktop ?? 0, 'SIGSEGV')
    await demo.says('The desktop died (SIGSEGV); I start it again.')
    await demo.says(/I start it again[^]*the server says: “Hello desktop!/)
    expect(childrenOf(demo.pid)[0]).toBe(server)
    expect(addresses()).toEqual([addresses()[0], addresses()[0]])
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toBe(0)
  })
})

/** In the order in which they were started. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** How many TCP sockets of the process listen. */
function listeningSockets(pid: number): number {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /^socket:\[(\d+)\]/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  )
  const lines = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, 'utf8').split('\n'),
  )
  const rows = lines.map((text) => text.trim().split(/\s+/))
  return rows.filter(([, , , state, , , , , , inode = '']) => state === '0A' && inodes.has(inode)).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
