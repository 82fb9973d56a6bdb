import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cert, key } from '../support/certificate.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('docs/writing-plugs.md', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'writing-plugs-'))
    await writeFile(join(folder, 'key.pem'), key)
    await writeFile(join(folder, 'cert.pem'), cert)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('shows the programs that are in examples/plugs', async () => {
    const page = await readFile(join(root, 'docs/writing-plugs.md'), 'utf8')
    const shown = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code)
    const names = ['tls.mjs', 'deflate.mjs', 'conformance.mjs']
    const programs = names.map((name) => readFile(join(root, 'examples/plugs', name), 'utf8'))
    expect(shown).toEqual(await Promise.all(programs))
  })

  it('shows plugs that pass the suite, run as it says', async () => {
    const report = await run(['--test', '--test-reporter=tap', 'examples/plugs/conformance.mjs'], {
      KEY: join(folder, 'key.pem'),
      CERT: join(folder, 'cert.pem'),
    })
    expect(report).toMatch(/^# fail 0$/m)
    const [, passed] = /^# pass (\d+)$/m.exec(report) ?? []
    expect(Number(passed)).toBeGreaterThan(40)
  })

  it('is right about the strength of what compresses on top of shs2', async () => {
    const program = `
      import MultiServer from 'multiserver'
      import net from 'multiserver/plugs/net'
      import shs2 from 'multiserver/plugs/shs2'
      import { generateKeys } from 'multiserver/keys'
      import deflate from './examples/plugs/deflate.mjs'
      const keys = await generateKeys()
      const ms = MultiServer([[net(), shs2({ keys }), deflate()]])
      const close = ms.server((connection) => connection.close())
      await close.listening
      const connection = await ms.client(ms.stringify(), { minStrength: 2 })
      console.log(connection.strength, connection.address.replace(/[\\d=+/\\w]{43}=/, 'KEY').replace(/:\\d+~/, ':PORT~'))
      console.log(Buffer.compare(connection.remote, keys.publicKey))
      await connection.close()
      await close()`
    expect(await run(['--input-type=module', '--eval', program])).toBe(
      '2 net:localhost:PORT~shs2:KEY~deflate\n0\n',
    )
  })
})

function run(parameters: string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    // What a test runner is told by its environment is not for the one that it starts.
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...rest } = process.env
    const options = { cwd: root, env: { ...rest, ...environment }, timeout: 50_000 }
    execFile(process.execPath, parameters, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`))
    })
  })
}
