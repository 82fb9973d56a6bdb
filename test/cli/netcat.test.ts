import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub, type RunningHub } from '../../signal-server/index.ts'
import { addressIn, run, start, startShell, temporaryFolder, type Running } from './command.ts'
import { checksum, makeTree } from './tree.ts'

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({ exemptLoopback: true })
})
afterAll(() => hub.close())

test.each([
  ['multiserver', {}],
  ['npx multiserver', { npm_command: 'exec' }],
])('who listens says what others run: %s', async (command, environment) => {
  const listening = start(['listen', '--net', '0'], environment)
  await listening.said(new RegExp(`Others run:\n {2}${command} connect 'net:`))
})

/** How to listen, by the name of the transport. */
const places = () => ({
  net: ['--net', '0'],
  rtc: ['--hub', hub.url],
})

describe.each(['net', 'rtc'] as const)('over %s', (transport) => {
  test('a tree in a pipe of tar arrives whole', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'address')
    makeTree(join(folder, 'from'))
    mkdirSync(join(folder, 'to'))
    const place = places()[transport].join(' ')
    const receiving = startShell(
      `multiserver listen ${place} --address-file ${file} </dev/null | tar -x -C ${folder}/to`,
    )
    const address = await addressIn(file, receiving)
    const sending = startShell(`tar -c -C ${folder}/from . | multiserver connect '${address}'`)
    expect([(await sending.ended).code, (await receiving.ended).code]).toEqual([0, 0])
    expect(checksum(join(folder, 'to'))).toBe(checksum(join(folder, 'from')))
  })

  test('each direction ends alone, and what waits for the end of one still answers', async () => {
    const { listening, address } = await listen(places()[transport])
    const connecting = start(['connect', address])
    connecting.child.stdin?.end('what is 6 times 7?')
    // The question has ended: only now there is an answer.
    const question = await untilEnd(listening)
    listening.child.stdin?.end(`${question} 42`)
    const { code, stdout } = await connecting.ended
    expect([code, stdout]).toEqual([0, 'what is 6 times 7? 42'])
    expect((await listening.ended).code).toBe(0)
  })

  test('a side that never reads holds the other back', async () => {
    const { listening, address } = await listen(places()[transport])
    const connecting = start(['connect', address])
    listening.child.stdout?.pause()
    connecting.child.stdin?.write(randomBytes(64 * 1024 * 1024))
    await listening.said(/Connection from/)
    const left = await untilStuck(() => connecting.child.stdin?.writableLength ?? 0)
    // Whatever fits between the two is a small part of it.
    expect(left).toBeGreaterThan(32 * 1024 * 1024)
    await Promise.all([connecting.stop(), listening.stop()])
  })
})

describe('how it ends', () => {
  test('with 3 where nobody listens, and with what to do', async () => {
    const { listening, address } = await listen(['--net', '0'])
    await listening.stop()
    const { code, stderr } = await run(['connect', address])
    expect(code).toBe(3)
    expect(stderr).toMatch(/CONNECT_FAILED: .*\n.*→ .*doctor/)
  })

  test('with 3 for a peer that the hub does not know', async () => {
    const { listening, address } = await listen(['--hub', hub.url])
    await listening.stop()
    const { code, stderr } = await run(['connect', address])
    expect([code, stderr]).toEqual([3, expect.stringContaining('PEER_NOT_FOUND')])
  })

  test('with 4 for a key that is not allowed, which the other side is told', async () => {
    const folder = temporaryFolder()
    const mine = (await run(['keygen', join(folder, 'mine')])).stdout.trim()
    const theirs = (await run(['keygen', join(folder, 'theirs')])).stdout.trim()
    const { listening, address } = await listen(['--net', '0', '--allow', mine])
    const refused = await run(['connect', address, '--key', join(folder, 'theirs')])
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('--allow KEY')])
    await listening.said(new RegExp(`Refused: ${theirs.replace(/\W/g, '.')}`))
    listening.child.stdin?.end('welcome')
    const accepted = await run(['connect', address, '--key', join(folder, 'mine')])
    expect([accepted.code, accepted.stdout]).toEqual([0, 'welcome'])
  })

  test('with 2 for an address that is none, and for a command that is none', async () => {
    const codes = [
      ['connect', 'nowhere?'],
      ['connect'],
      ['conect', 'net:a:1'],
      ['listen'],
      ['listen', 'ftp:x'],
    ]
    for (const args of codes) expect((await run(args)).code).toBe(2)
  })

  test('with 5 where the other side is killed in the middle', async () => {
    const { listening, address } = await listen(['--net', '0'])
    const connecting = start(['connect', '--verbose', address])
    await connecting.said(/Connected to/)
    listening.child.kill('SIGKILL')
    const { code, stderr } = await connecting.ended
    expect([code, stderr]).toEqual([5, expect.stringMatching(/TRUNCATED|CONNECTION_LOST/)])
  })

  test('with 130 and without a word where Ctrl-C ends it', async () => {
    const { address } = await listen(['--net', '0'])
    const connecting = start(['connect', '--verbose', address])
    await connecting.said(/Connected to/)
    connecting.child.kill('SIGINT')
    expect((await connecting.ended).code).toBe(130)
  })

  test('at once, where whoever reads its output has seen enough', async () => {
    const { listening, address } = await listen(['--net', '0'])
    listening.child.stdin?.write(randomBytes(8 * 1024 * 1024))
    const { code } = await startShell(`multiserver connect '${address}' | head -c 10 >/dev/null`).ended
    expect(code).toBe(0)
  })

  test('refuses a second peer, and serves the first', async () => {
    const { listening, address } = await listen(['--net', '0'])
    const first = start(['connect', '--verbose', address])
    await first.said(/Connected to/)
    await listening.said(/Connection from/)
    expect((await run(['connect', address])).code).toBe(5)
    listening.child.stdin?.end('yours')
    first.child.stdin?.end()
    expect((await first.ended).stdout).toBe('yours')
  })
})

test('listens as a pattern says, in a protocol that 3.8.2 speaks too', async () => {
  const { address } = await listen(['net:127.0.0.1:0~shs'])
  expect(address).toMatch(/^net:127\.0\.0\.1:\d+~shs:[^;]+$/)
})

/** Waits for a peer, at an address that it has told. */
async function listen(flags: readonly string[]): Promise<{ listening: Running; address: string }> {
  const file = join(temporaryFolder(), 'address')
  const listening = start(['listen', ...flags, '--address-file', file])
  return { listening, address: await addressIn(file, listening) }
}

async function untilEnd({ child }: Running): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) text += chunk
  return text
}

/** The first of two equal values, a while apart. */
async function untilStuck(read: () => number): Promise<number> {
  for (let before = -1; ; await sleep(500)) {
    const now = read()
    if (now === before) return now
    before = now
  }
}
