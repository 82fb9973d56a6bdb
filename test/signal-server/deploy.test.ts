import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hubSubprotocol } from '../../core/hub-protocol.ts'
import { readCommand } from '../../signal-server/options.ts'
import { allSettings, fileVariableOf } from '../../signal-server/settings.ts'
import { startHub } from '../../signal-server/index.ts'
import { canRun, titleOf } from '../support/can-run.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { makeCertificate } from '../support/make-certificate.ts'
import { HubClient, refusedStatus } from './hub-client.ts'
import { askForRelay, introduce, joinRelay } from './relay-client.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const deploy = join(root, 'signal-server', 'deploy')
const read = (name: string) => readFile(join(deploy, name), 'utf8')
const variables = allSettings().flatMap(([, { env, type }]) =>
  type.isSecret === true ? [env, fileVariableOf(env)] : [env],
)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'multiserver-deploy-'))
})
afterEach(() => rm(folder, { recursive: true }))

function run(program: string, args: string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

describe('the files to deploy with', () => {
  it('are in the package', async () => {
    const { files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { files: string[] }
    expect(files).toContain('signal-server/deploy')
  })

  it('name only settings that there are', async () => {
    const compose = await read('compose.yaml')
    const [, block = ''] = /^ {4}environment:\n((?: {6}.*\n)+)/m.exec(compose) ?? []
    const composed = [...block.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name]) => name)
    const imaged = [...(await read('Dockerfile')).matchAll(/^ENV (.*)$/gm)].flatMap(([, line = '']) =>
      line.split(' ').map((pair) => pair.split('=')[0]),
    )
    const set = Object.keys(parseEnv(await read('multiserver-hub.env')))
    expect([composed.length, imaged.length, set.length].every((count) => count > 2)).toBe(true)
    const known = new Set([...variables, 'NODE_ENV'])
    expect([...composed, ...imaged, ...set].filter((name) => !known.has(name ?? ''))).toEqual([])
  })

  it('have an environment that is a hub, once its secrets are filled in', async () => {
    const environment = parseEnv(await read('multiserver-hub.env'))
    const { options, warnings } = readCommand([], { ...environment, TURN_SECRET: 'x', METRICS_TOKEN: 'y' })
    expect(warnings).toEqual([])
    expect(options).toMatchObject({ hubNames: ['wss://hub.example.com'], metrics: { token: 'y' } })
    // Forgotten, the secret is an error and not a hub without TURN.
    expect(() => readCommand([], environment)).toThrow('TURN_SECRET is not')
  })

  it('build an image of paths that there are, which runs the program of the package', async () => {
    const dockerfile = await read('Dockerfile')
    const copied = [...dockerfile.matchAll(/^COPY (.*)$/gm)].flatMap(([, line = '']) =>
      line
        .split(' ')
        .filter((word) => !word.startsWith('--'))
        .slice(0, -1),
    )
    const ofTheBuild = new Set(['node_modules', 'dist'])
    const paths = copied.map((path) => path.replace(/^\/src\//, ''))
    expect(paths).toContain('package-lock.json')
    expect(paths.filter((path) => !ofTheBuild.has(path) && !existsSync(join(root, path)))).toEqual([])
    const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      bin: Record<string, string>
    }
    const [, entry = ''] = /^ENTRYPOINT \["node", "(.*)"\]$/m.exec(dockerfile) ?? []
    expect(bin['multiserver-hub']).toBe(`./${entry}`)
    expect(dockerfile).toMatch(/^USER 1000:1000$/m)
  })

  it.skipIf(!canRun('promtool'))(`have alerts that Prometheus takes: ${titleOf('promtool')}`, async () => {
    const checked = run('promtool', ['check', 'rules', join(deploy, 'alerts.yaml')])
    expect(checked).toMatchObject({ status: 0 })
    const hub = await startHub({ metrics: true })
    const response = await fetch(`${hub.url.replace('ws', 'http')}/metrics`)
    const metrics = await response.text()
    await hub.close()
    const named = [...(await read('alerts.yaml')).matchAll(/multiserver_hub_\w+/g)].map(([name]) => name)
    expect(named.length).toBeGreaterThan(7)
    expect(named.filter((name) => !metrics.includes(name))).toEqual([])
  })

  it.skipIf(!canRun('systemd-analyze')).each(['multiserver-hub.service', 'multiserver-bridge.service'])(
    `have a unit that systemd takes and finds hardened, %s: ${titleOf('systemd-analyze')}`,
    async (name) => {
      const unit = join(folder, name)
      // systemd looks whether the program is there.
      const text = (await read(name)).replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true')
      await writeFile(unit, text)
      expect(run('systemd-analyze', ['verify', unit])).toEqual({ status: 0, said: '' })
      const { said } = run('systemd-analyze', ['security', '--offline=true', '--threshold=15', unit])
      expect(Number(/exposure level for \S+ ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(1.5)
    },
  )

  it.skipIf(!canRun('caddy'))(`have a Caddyfile that Caddy takes: ${titleOf('caddy')}`, async () => {
    // Of its own, for it writes keys beside it.
    await copyFile(join(deploy, 'Caddyfile'), join(folder, 'Caddyfile'))
    const args = ['adapt', '--validate', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
    const { status, stderr } = spawnSync('caddy', args, {
      encoding: 'utf8',
      env: { HOME: folder, PATH: process.env['PATH'] },
    })
    expect({ status, warned: /warn/i.test(stderr) }).toEqual({ status: 0, warned: false })
  })

  it.skipIf(!canRun('nginx'))(
    `have a site for nginx through which peers register: ${titleOf('nginx')}`,
    async () => {
      const port = fixedPort()
      const hubName = `wss://localhost:${port}`
      const hub = await startHub({
        hubNames: [hubName],
        trustProxy: ['127.0.0.1'],
        metrics: true,
        status: { token: 'of the operator' },
        limits: { socketsPerAddress: 4 },
      })
      const { cert } = makeCertificate(folder)
      const site = (await read('nginx.conf'))
        .replace('127.0.0.1:8989', new URL(hub.url).host)
        .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
        .replace(/^.*listen \[::\]:443.*$/m, '')
        .replace(/\/etc\/letsencrypt\/.*fullchain\.pem/, join(folder, 'made.crt'))
        .replace(/\/etc\/letsencrypt\/.*privkey\.pem/, join(folder, 'made.key'))
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `${kind}_temp_path ${folder};`,
      )
      await writeFile(
        join(folder, 'nginx.conf'),
        `daemon off; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp { access_log off; ${temporary.join(' ')}\n${site}\n}`,
      )
      const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
      expect(run('nginx', ['-t', ...args])).toMatchObject({ status: 0 })
      const nginx = spawn('nginx', args, { stdio: 'ignore' })
      try {
        const first = await vi.waitFor(() => connected(hubName, cert), { timeout: 10_000 })
        await first.leave()
        const { client, server, id } = await introduce({ url: hubName, hubName }, { ca: cert })
        const told = await askForRelay({ client, server, id })
        expect(told.map(({ url }) => url)).toEqual([`${hubName}/relay`, `${hubName}/relay`])
        const [one, other] = await Promise.all(told.map((each) => joinRelay(each, { ca: cert })))
        await other?.until(() => other.texts.includes('open'))
        other?.socket.send(Buffer.from('through nginx'))
        await one?.until(() => one.frames.length === 1)
        const statusOf = (path: string) => statusAt(`https://localhost:${port}${path}`, cert)
        expect(
          await Promise.all(['/status/', '/status/data.json', '/metrics', '/livez'].map(statusOf)),
        ).toEqual([401, 401, 404, 200])
        // What a client writes there itself would give it an address for each socket.
        const headers = { 'x-forwarded-for': '198.51.100.1' }
        expect(await refusedStatus(hubName, hubSubprotocol, { ca: cert, headers })).toBe(503)
        for (const { socket } of [one, other, client, server].filter((each) => each !== undefined))
          socket.terminate()
      } finally {
        const gone = new Promise((resolve) => nginx.once('exit', resolve))
        nginx.kill('SIGTERM')
        await gone
        await hub.close()
      }
    },
  )
})

async function connected(url: string, ca: Buffer): Promise<HubClient> {
  const client = new HubClient(url, { ca })
  await Promise.race([client.opened(), client.closed.then(() => Promise.reject(new Error('not there yet')))])
  return client
}

/** What is answered there, by who shows this certificate. */
async function statusAt(url: string, ca: Buffer): Promise<number | undefined> {
  const [response] = (await once(get(url, { ca, agent: false }), 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}
