import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, expect, it } from 'vitest'
import type { WsOptions } from '../../compat/plugins/ws.ts'
import type { Close } from '../../compat/types.ts'
import { cert, key } from '../support/certificate.ts'
import { pull } from '../streams/pull-streams.ts'
import { ours, theirs } from './both.ts'
import { acceptEverybody, appKey, freePort, keys, start, stop } from './setup.ts'

const script = fileURLToPath(new URL('wss-client.cjs', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'compat-wss-'))
const paths = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
await Promise.all([writeFile(paths.key, key), writeFile(paths.cert, cert)])
const servers = { ours, theirs }
const open: Close[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(stop))
})
afterAll(() => rm(folder, { recursive: true }))

const forms: [string, () => Promise<WsOptions>][] = [
  ['key and certificate as paths', async () => ({ host: 'localhost', port: await freePort(), ...paths })],
  [
    'key and certificate as Buffers',
    async () => ({
      host: 'localhost',
      port: await freePort(),
      key: Buffer.from(key),
      cert: Buffer.from(cert),
    }),
  ],
  [
    'an https server that exists',
    async () => {
      const server = createServer({ key, cert }).listen(0, 'localhost')
      await once(server, 'listening')
      return { server }
    },
  ],
]

it.each(
  (
    [
      ['ours', 'theirs'],
      ['theirs', 'ours'],
      ['ours', 'ours'],
    ] as const
  ).flatMap(([client, server]) => forms.map(([form, make]) => [client, server, form, make] as const)),
)(
  'over wss a client of %s gets back what it sends to a server of %s, %s',
  async (client, server, _form, makeOptions) => {
    const { MultiServer, plugins, Shs } = servers[server]
    const shs = Shs({ keys: keys.server, appKey, auth: acceptEverybody, timeout: 5000 })
    const multi = MultiServer([[plugins.ws(await makeOptions()), shs]])
    open.push(
      await start(
        multi,
        (stream) => {
          expect(stream.remote).toEqual(keys.client.publicKey)
          pull(stream, stream)
        },
        (error) => {
          throw error
        },
      ),
    )
    const address = multi.stringify()
    expect(address).toMatch(/^wss:\/\/localhost:\d+~shs:/)
    expect(await run(client, address, { NODE_EXTRA_CA_CERTS: paths.cert })).toEqual({
      isSame: true,
      remote: keys.server.publicKey.toString('base64'),
    })
    // Nobody told this one to trust the certificate.
    if (client === 'ours') expect(await run(client, address, {})).toEqual({ error: expect.any(String) })
  },
)

async function run(client: 'ours' | 'theirs', address: string, env: NodeJS.ProcessEnv): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, client, address], {
    env: { ...process.env, ...env },
  })
  return JSON.parse(stdout)
}
