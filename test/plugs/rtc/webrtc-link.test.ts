import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { limits } from '../../../core/limits.ts'
import { WebRtcLink } from '../../../plugs/rtc/webrtc-link.ts'
import { loadWebRtc } from '../../../plugs/rtc/wrtc.ts'
import { resources, until, untilOnly } from './leftovers.ts'
import { ignored, linkPair, makePair } from './link-pair.ts'

describe('WebRtcLink', () => {
  it('is made up to the limit of the process and not beyond, and gives its place back', async () => {
    const webRtc = await loadWebRtc()
    const makeLink = () =>
      new WebRtcLink({ initiator: true, webRtc, iceServers: [], onCandidate: () => undefined })
    const links = Array.from({ length: limits.introduction.connections }, makeLink)
    expect(makeLink).toThrow(expect.objectContaining({ code: 'RTC_LIMIT' }))
    links[0]?.close()
    await links[0]?.closed
    links.push(makeLink())
    expect(makeLink).toThrow(expect.objectContaining({ code: 'RTC_LIMIT' }))
    for (const link of links) link.close()
    await Promise.all(links.map((link) => link.closed))
  }, 60_000)

  it.skipIf(process.platform !== 'linux')('gives its threads and descriptors back', async () => {
    const count = () => ['task', 'fd'].map((what) => readdirSync(`/proc/self/${what}`).length)
    const close = (pairs: Awaited<ReturnType<typeof linkPair>>[]) => {
      const links = pairs.flatMap(({ near, far }) => [near.link, far.link])
      for (const link of links) link.close()
      return Promise.all(links.map(({ closed }) => closed))
    }
    // What WebRTC needs once stays.
    await close([await linkPair()])
    const [threads = 0, descriptors = 0] = count()
    const pairs = await Promise.all(Array.from({ length: 10 }, linkPair))
    const [moreThreads = 0, moreDescriptors = 0] = count()
    expect(moreThreads - threads).toBeGreaterThanOrEqual(2 * 20)
    expect(moreDescriptors - descriptors).toBeGreaterThan(2 * 20)
    await close(pairs)
    await until(() => {
      collectGarbage()
      const [threadsNow = Infinity, descriptorsNow = Infinity] = count()
      return threadsNow <= threads && descriptorsNow <= descriptors
    }, 'they are back')
  })

  it('never has wrtc write out a description, for it crashes where a candidate comes meanwhile', async () => {
    const asked: string[] = []
    const { near, far } = await linkPair({
      prepare(connection) {
        const { _pc: native } = connection as unknown as { readonly _pc: object }
        for (const name of ['localDescription', 'remoteDescription']) {
          Object.defineProperty(native, name, { get: () => void asked.push(name) })
        }
      },
    })
    near.link.close()
    far.link.close()
    await Promise.all([near.link.closed, far.link.closed])
    expect(asked).toEqual([])
  })

  it('passes over a candidate that is of no use, and nothing is printed of it', async () => {
    const warn = vi.spyOn(console, 'warn')
    let refused = 0
    const { near, far } = await linkPair({
      prepare(connection) {
        const add = connection.addIceCandidate.bind(connection)
        let isFirst = true
        connection.addIceCandidate = (candidate?: RTCIceCandidateInit | null) => {
          if (!isFirst) return add(candidate ?? undefined)
          isFirst = false
          refused += 1
          return Promise.reject(new Error('of no use'))
        }
      },
    })
    expect(refused).toBe(2)
    near.link.close()
    far.link.close()
    await Promise.all([near.link.closed, far.link.closed])
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  it('tells ICE and DTLS apart, at both ends', async () => {
    const { near, far } = await linkPair()
    for (const { stages, path } of [near, far]) {
      expect(stages).toEqual(['ice', 'dtls'])
      expect(path.tookMs).toEqual({ ice: expect.any(Number), dtls: expect.any(Number) })
    }
    near.link.close()
    far.link.close()
    await Promise.all([near.link.closed, far.link.closed])
  })

  it('says bye and then nothing, and each is closed only once the other has said it', async () => {
    const before = resources()
    const { near, far, nearWebRtc, farWebRtc } = await linkPair()
    const log: string[] = []
    const tell = ({ channels: [channel], connections: [connection] }: typeof nearWebRtc, side: string) => {
      const send = channel?.send.bind(channel) as (message: Uint8Array<ArrayBuffer>) => void
      const close = connection?.close.bind(connection)
      Object.defineProperty(channel, 'send', {
        value(message: Uint8Array<ArrayBuffer>) {
          log.push(`${side} says ${message.join()}`)
          send(message)
        },
      })
      Object.defineProperty(connection, 'close', {
        value() {
          log.push(`${side} closes`)
          close?.()
        },
      })
      channel?.addEventListener('close', () => log.push(`the channel of ${side} is closed`))
      channel?.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
        log.push(`${side} hears ${new Uint8Array(data).join()}`),
      )
    }
    tell(nearWebRtc, 'near')
    tell(farWebRtc, 'far')
    const lost = new Promise<void>((resolve) => {
      // As a session does.
      const onClose = () => {
        far.path.close()
        resolve()
      }
      far.path.start({ ...ignored, onClose })
    })
    near.path.close()
    expect(() => near.path.send(new Uint8Array(1))).not.toThrow()
    far.path.send(Uint8Array.of(1, 2))
    await lost
    far.path.send(Uint8Array.of(3))
    await Promise.all([near.link.closed, far.link.closed])
    expect(log.filter((line) => line.includes('says'))).toEqual(['near says 7', 'far says 1,2', 'far says 7'])
    expect(log).toEqual(expect.arrayContaining(['near hears 7', 'the channel of far is closed']))
    expect(log.indexOf('near closes')).toBeGreaterThan(log.indexOf('near hears 7'))
    // Its bye, and what went before, is not lost with the connection.
    expect(log.indexOf('far closes')).toBeGreaterThan(log.indexOf('the channel of far is closed'))
    await untilOnly(before)
  })

  it('hands over what came before the bye, although the path was not taken yet', async () => {
    const { near, far, describe: introduce } = makePair({})
    await introduce()
    const path = await near.link.opened
    path.send(Uint8Array.of(1))
    path.close()
    const heard: string[] = []
    const farPath = await far.link.opened
    await far.link.closed
    farPath.start({
      ...ignored,
      onMessage: (message) => heard.push(message.join()),
      onClose: () => heard.push('closed'),
    })
    expect(heard).toEqual(['1', 'closed'])
  })

  it('of the side that answered is not closed while its channel opens, for the other one may send already', async () => {
    let opensAt = Infinity
    const pair = makePair({
      onFarStage(stage) {
        if (stage === 'ice') pair.far.link.close()
        else opensAt = performance.now()
      },
    })
    const { near, far } = pair
    await pair.describe()
    const path = near.link.opened
    const closedAt = await far.link.closed.then(() => performance.now())
    expect(opensAt).toBeLessThanOrEqual(closedAt)
    await Promise.all([path, near.link.closed])
  })

  it('of the side that answered sends nothing before it has heard something', async () => {
    const { near, far, farWebRtc } = await linkPair()
    const [channel] = farWebRtc.channels
    const send = vi.spyOn(channel ?? ({} as RTCDataChannel), 'send')
    const heard: string[] = []
    const all = new Promise<void>((resolve) => {
      const onMessage = (message: Uint8Array) => {
        if (heard.push(message.join()) === 2) resolve()
      }
      near.path.start({ ...ignored, onMessage })
    })
    const frame = Uint8Array.of(1)
    far.path.send(frame)
    // Its memory is the caller's again.
    frame[0] = 9
    far.path.send(Uint8Array.of(2))
    expect(send).not.toHaveBeenCalled()
    near.path.send(Uint8Array.of(0))
    await all
    expect(heard).toEqual(['1', '2'])
    near.link.close()
    await Promise.all([near.link.closed, far.link.closed])
  })

  it('that is given up while its channel opens is not sent into, unless it was open already and said bye', async () => {
    const pair = makePair({
      onNearStage(stage) {
        if (stage === 'ice') pair.near.link.close()
      },
    })
    await pair.describe()
    const [nearSend, farSend] = [pair.nearWebRtc, pair.farWebRtc].map(({ channels: [channel] }) =>
      vi.spyOn(channel ?? ({} as RTCDataChannel), 'send'),
    )
    pair.far.link.opened.then(
      (path) => path.send(Uint8Array.of(1)),
      () => undefined,
    )
    await pair.near.link.closed
    pair.far.link.close()
    await pair.far.link.closed
    const firstOf = (send: typeof nearSend) => send?.mock.invocationCallOrder[0] ?? Infinity
    if (firstOf(farSend) !== Infinity) expect(firstOf(farSend)).toBeGreaterThan(firstOf(nearSend))
  })

  describe('with a far side that says no bye', () => {
    it('ends its data channel before all else', async () => {
      const before = resources()
      const { near, far, nearWebRtc, farWebRtc } = await linkPair({ bye: { near: false, far: false } })
      const states = [nearWebRtc, farWebRtc].map(
        ({ channels, connections }) =>
          new Promise((resolve) =>
            channels[0]?.addEventListener('close', () => resolve(connections[0]?.connectionState)),
          ),
      )
      near.path.close()
      expect(() => near.path.send(new Uint8Array(1))).not.toThrow()
      expect(await Promise.all(states)).toEqual(['connected', 'connected'])
      await Promise.all([near.link.closed, far.link.closed])
      await untilOnly(before)
    })

    it.each([
      ['at once when nothing has passed for a while', limits.session.quietMs, false],
      [
        'only after a pause when something has: the far side may be answering',
        limits.session.quietMs - 1,
        true,
      ],
    ])('does so %s', async (_when, laterMs, isOpen) => {
      const now = performance.now()
      const clock = vi.spyOn(performance, 'now').mockReturnValue(now)
      const { near, far, nearWebRtc } = await linkPair({ bye: { near: false, far: false } })
      const heard = new Promise((resolve) => near.path.start({ ...ignored, onMessage: resolve }))
      near.path.send(Uint8Array.of(1))
      far.path.send(new Uint8Array(100))
      await heard
      clock.mockReturnValue(now + laterMs)
      near.path.close()
      near.path.close()
      expect(nearWebRtc.channels[0]?.readyState === 'open').toBe(isOpen)
      clock.mockRestore()
      await Promise.all([near.link.closed, far.link.closed])
    })
  })

  it.each([
    ['say bye', { near: true, far: false }],
    ['say that it knows', { near: false, far: false }],
  ])('is released although the far side does not %s', async (_what, bye) => {
    const before = resources()
    const { near, far, nearWebRtc } = await linkPair({ bye })
    const [channel] = nearWebRtc.channels
    Object.defineProperty(channel, 'close', { value: () => undefined })
    near.link.close()
    near.link.close()
    await Promise.all([near.link.closed, far.link.closed])
    await untilOnly(before)
  })
})

/** wrtc lets the threads of the last few connections go with their objects. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}

describe('rtc without the package wrtc', () => {
  it('says RTC_UNAVAILABLE, and what to install', async () => {
    const root = join(import.meta.dirname, '../../..')
    const copy = await mkdtemp(join(tmpdir(), 'multiserver-without-wrtc-'))
    try {
      await installWithout('wrtc', root, copy)
      const script = `
        import MultiServer from 'multiserver'
        import rtc from 'multiserver/plugs/rtc'
        import shs from 'multiserver/plugs/shs'
        import { generateKeys, keyToString } from 'multiserver/keys'
        const keys = await generateKeys()
        const ms = MultiServer([[rtc(), shs({ keys })]])
        const error = await ms.client('rtc:localhost:9~shs:' + keyToString(keys.publicKey)).catch((thrown) => thrown)
        const [{ code, message }] = error.attempts
        console.log(JSON.stringify([code, message]))`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        cwd: copy,
      })
      const [code, message] = JSON.parse(stdout) as [string, string]
      expect(code).toBe('RTC_UNAVAILABLE')
      expect(message).toContain('install the optional package wrtc')
    } finally {
      await rm(copy, { recursive: true })
    }
  }, 60_000)
})

/** The built package in a place of its own, with all its dependencies but one. */
async function installWithout(dependency: string, root: string, copy: string): Promise<void> {
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  await mkdir(join(copy, 'node_modules'))
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name !== dependency && !name.startsWith('.')) {
      await symlink(join(root, 'node_modules', name), join(copy, 'node_modules', name))
    }
  }
}
