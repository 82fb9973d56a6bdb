import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromText, toBase64 } from '../../core/bytes.ts'
import { hubCloseCodes } from '../../core/hub-protocol.ts'
import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import { rtc } from '../../plugs/rtc/index.ts'
import { shs } from '../../plugs/shs/index.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { HubClient, testKeys } from './hub-client.ts'
import { type HubProgram, killHubProgram, startHubProgram } from './hub-program.ts'

const programs: HubProgram[] = []
afterEach(async () => {
  await Promise.all(programs.splice(0).map(killHubProgram))
})

async function start(environment: Record<string, string> = {}): Promise<HubProgram> {
  const program = await startHubProgram({ PORT: '0', ...environment })
  programs.push(program)
  return program
}

async function readiness({ url }: HubProgram): Promise<unknown[]> {
  const response = await fetch(`${url.replace('ws', 'http')}/readyz`)
  return [response.status, await response.json()]
}

const isReady = [200, { ready: true }]
const isLeaving = [503, { ready: false }]

describe('a hub that gets SIGTERM', () => {
  it('is back after a restart for its peers, whose connections never noticed', async () => {
    const port = String(fixedPort())
    const first = await start({ PORT: port })
    const [serverKeys, clientKeys] = await Promise.all([generateKeys(), generateKeys()])
    const errors: string[] = []
    const server = MultiServer([[rtc({ hub: first.url }), shs({ keys: serverKeys })]])
    const close = server.server(
      async (accepted) => {
        for await (const chunk of accepted) await accepted.write(chunk)
        await accepted.close()
      },
      (error) => errors.push(error.code),
    )
    await close.listening
    const address = `rtc:${first.url.slice('ws://'.length)}~shs:${toBase64(serverKeys.publicKey)}`
    const client = MultiServer([[rtc(), shs({ keys: clientKeys })]])
    const connection = await client.client(address)
    const echo = async (text: string) => {
      await connection.write(fromText(text))
      expect(await connection.read()).toEqual(fromText(text))
    }
    await echo('before')
    await pathBecomes(connection, 'direct')

    first.child.kill('SIGTERM')
    expect(await first.ended).toEqual({ code: 0, signal: null })
    await echo('without a hub')
    const second = await start({ PORT: port })
    await vi.waitFor(async () => (await client.client(address)).close(), { timeout: 20_000 })
    await echo('after')
    // It was told once that the hub was away.
    expect(errors).toEqual(['HUB_LOST'])
    await connection.close()
    await close()
    expect(await readiness(second)).toEqual(isReady)
  })

  it('says first that it is not ready, and serves on until the delay is over', async () => {
    const program = await start({ DRAIN_DELAY: '4' })
    expect(await readiness(program)).toEqual(isReady)
    const before = new HubClient(program.url)
    await before.register(testKeys(), program.url)
    program.child.kill('SIGTERM')
    await vi.waitFor(async () => expect(await readiness(program)).toEqual(isLeaving), { timeout: 3_900 })
    const meanwhile = new HubClient(program.url)
    await meanwhile.register(testKeys(), program.url)
    const waits = await Promise.all(
      [before, meanwhile].map(async (peer) => (await peer.next('restarting')).reconnectAfterMs),
    )
    // Spread out, in the order in which they came.
    expect(waits[0]).toBeLessThan(waits[1] ?? 0)
    for (const peer of [before, meanwhile]) expect((await peer.closed).code).toBe(hubCloseCodes.restarting)
    expect(await program.ended).toEqual({ code: 0, signal: null })
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends at once at a second signal, %s', async (signal, code) => {
    const program = await start({ DRAIN_DELAY: '20' })
    program.child.kill('SIGTERM')
    await vi.waitFor(async () => expect(await readiness(program)).toEqual(isLeaving), { timeout: 10_000 })
    program.child.kill(signal)
    expect((await program.ended).code).toBe(code)
  })

  it('does not wait for a peer that reads nothing and answers nothing', async () => {
    const program = await start()
    const deaf = new HubClient(program.url)
    await deaf.register(testKeys(), program.url)
    deaf.socket.pause()
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
    deaf.socket.terminate()
  })
})

function pathBecomes(connection: Connection, path: Connection['path']): Promise<void> {
  return new Promise((resolve) => {
    const look = () => connection.path === path && resolve()
    connection.on('path', look)
    look()
  })
}
