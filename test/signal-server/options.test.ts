import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helpText, settingsTable } from '../../signal-server/help.ts'
import { type Environment, readCommand, UsageError } from '../../signal-server/options.ts'
import { allSettings, flagOf, mostDrainDelaySeconds } from '../../signal-server/settings.ts'

let folder: string
let secretFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'multiserver-options-'))
  secretFile = join(folder, 'secret')
  await writeFile(secretFile, 'from a file\n')
})
afterAll(() => rm(folder, { recursive: true }))

const fromEnvironment = (environment: Environment) => readCommand([], environment)

describe('the options of the program', () => {
  it('are a hub for this machine when nothing is said, or only empty variables', () => {
    const nothing = fromEnvironment({})
    expect(nothing).toMatchObject({ ask: undefined, drainDelayMs: 0, warnings: [] })
    const { logger, port, ...others } = nothing.options
    expect({ logger, port }).toEqual({ logger: { level: 'info' }, port: 8989 })
    expect(Object.values(others).filter((value) => value !== undefined)).toEqual([])
    const empty = Object.fromEntries(allSettings().map(([, { env }]) => [env, '']))
    expect(fromEnvironment(empty)).toEqual(nothing)
  })

  const all = {
    HOST: '0.0.0.0',
    PORT: '80',
    HUB_NAMES: 'wss://a.example, wss://b.example/x/',
    TLS_CERT: 'cert.pem',
    TLS_KEY: 'key.pem',
    PAGE: '.',
    TRUST_PROXY: '10.0.0.0/8, ::1',
    ORIGINS: 'https://a.example,http://localhost:8080',
    EXEMPT_LOOPBACK: 'yes',
    HUB_LIMITS: 'pingMs=1000,queueBytes=65536',
    ICE_SERVERS: 'stun:a.example,stun:b.example',
    TURN_URLS: 'turn:a.example,turns:a.example:443?transport=tcp',
    TURN_FOR_ANONYMOUS: 'no',
    METRICS: 'on',
    LOG_LEVEL: 'debug',
    DRAIN_DELAY: '5',
  }
  const meant = {
    drainDelayMs: 5_000,
    options: {
      host: '0.0.0.0',
      port: 80,
      hubNames: ['wss://a.example', 'wss://b.example/x'],
      tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
      page: '.',
      trustProxy: ['10.0.0.0/8', '::1'],
      origins: ['https://a.example', 'http://localhost:8080'],
      exemptLoopback: true,
      limits: { pingMs: 1_000, queueBytes: 65_536 },
      iceServers: [{ urls: ['stun:a.example'] }, { urls: ['stun:b.example'] }],
      turn: { urls: ['turn:a.example', 'turns:a.example:443?transport=tcp'], secret: 'from a file' },
      turnForAnonymous: false,
      metrics: true,
      logger: { level: 'debug' },
    },
  }

  it('all come from the environment', () => {
    expect(fromEnvironment({ ...all, TURN_SECRET_FILE: secretFile })).toMatchObject(meant)
  })

  it('all come from flags', () => {
    const flags = allSettings().flatMap(([, setting]) => {
      const given = { ...all, TURN_SECRET: secretFile }[setting.env]
      if (given === undefined) return []
      if (setting.type.placeholder !== undefined) return [`--${flagOf(setting)}`, given]
      return [given === 'no' ? `--no-${flagOf(setting)}` : `--${flagOf(setting)}`]
    })
    expect(readCommand(flags, {})).toMatchObject(meant)
  })

  it('come from flags where the environment says something else', () => {
    const { options } = readCommand(['--port', '1', '--no-metrics'], {
      PORT: '2',
      METRICS: 'yes',
      HOST: '::1',
    })
    expect(options).toMatchObject({ port: 1, metrics: false, host: '::1' })
  })

  it('know secrets from the environment and from files, and a token for /metrics before METRICS', () => {
    const environment = {
      METRICS: 'no',
      METRICS_TOKEN: 'token',
      TURN_URLS: 'turn:a.example',
      TURN_SECRET: 'secret',
    }
    expect(fromEnvironment(environment).options).toMatchObject({
      metrics: { token: 'token' },
      turn: { secret: 'secret' },
    })
    const { options } = fromEnvironment({ METRICS_TOKEN_FILE: secretFile })
    expect(options.metrics).toEqual({ token: 'from a file' })
  })

  it('know TURN servers with credentials of their own', () => {
    const own = { urls: ['turn:own.example'], username: 'me', credential: 'mine' }
    expect(fromEnvironment({ ICE_SERVERS: JSON.stringify([own]) }).options.iceServers).toEqual([own])
  })

  it.each<[string, Environment, string[]]>([
    ['PORT must be a port (0 to 65535), not x', { PORT: 'x' }, []],
    ['PORT must be a port (0 to 65535), not 65536', { PORT: '65536' }, []],
    ['--port must be a port (0 to 65535), not -1', { PORT: '1' }, ['--port=-1']],
    ['METRICS must be yes or no, not maybe', { METRICS: 'maybe' }, []],
    ['PAGE must be a folder that is there, not /nowhere', { PAGE: '/nowhere' }, []],
    ['LOG_LEVEL must be one of trace, debug, info, warn, error, silent, not loud', { LOG_LEVEL: 'loud' }, []],
    ['DRAIN_DELAY must be whole seconds (0 to 20), not 21', { DRAIN_DELAY: '21' }, []],
    ['HUB_LIMITS: the hub has no limit named nothing', { HUB_LIMITS: 'nothing=1' }, []],
    ["HUB_LIMITS: the hub's limit pingMs must be a number above 0", { HUB_LIMITS: 'pingMs=x' }, []],
    ['HUB_LIMITS must be limits such as', { HUB_LIMITS: 'pingMs' }, []],
    ['HUB_NAMES: https://a.example cannot name a hub', { HUB_NAMES: 'https://a.example' }, []],
    ['ORIGINS must be origins such as', { ORIGINS: 'https://a.example/path' }, []],
    ['TRUST_PROXY must be addresses or networks', { TRUST_PROXY: '10.0.0.0/33' }, []],
    ['TRUST_PROXY must be addresses or networks', { TRUST_PROXY: 'proxy.example' }, []],
    ['ICE_SERVERS: the JSON must be a list of', { ICE_SERVERS: '[{"urls":"stun:a"}]' }, []],
    ['stun://a.example is no STUN', { ICE_SERVERS: 'stun://a.example' }, []],
    ['TURN_URLS is set and TURN_SECRET is not', { TURN_URLS: 'turn:a.example' }, []],
    ['TURN_SECRET is set and TURN_URLS is not', { TURN_SECRET: 'x' }, []],
    ['TLS_KEY is set and TLS_CERT is not', { TLS_KEY: 'x' }, []],
    ['TURN_SECRET_FILE: ENOENT', { TURN_SECRET_FILE: '/nowhere' }, []],
    ['METRICS_TOKEN_FILE: /dev/null is empty', { METRICS_TOKEN_FILE: '/dev/null' }, []],
    ['METRICS_TOKEN is set, and so is a file', { METRICS_TOKEN: 'x', METRICS_TOKEN_FILE: 'y' }, []],
    ["Unknown option '--prot'; --help shows the options", {}, ['--prot', '80']],
    ["Unknown option '--turn-secret'", {}, ['--turn-secret', 'visible to all']],
    ["Option '--port <value>' argument missing", {}, ['--port']],
    ["Unexpected argument 'x'", {}, ['x']],
  ])('refuse with %j what cannot be meant', (message, environment, args) => {
    const read = () => readCommand(args, environment)
    expect(read).toThrow(UsageError)
    expect(read).toThrow(message)
  })

  it('never repeat a secret', () => {
    const environment = { TURN_SECRET: 'hidden', TURN_URLS: 'turn:', METRICS_TOKEN: 'hidden' }
    const json = '[{"urls":"turn:a.example","username":"me","credential":"hidden"}]'
    expect(() => fromEnvironment({ ICE_SERVERS: json })).toThrow(/^(?!.*hidden).*the JSON must be/s)
    expect(() => fromEnvironment(environment)).toThrow(/^(?!.*hidden).*turn: is no STUN/s)
  })

  it('warn of variables that look as if they were for the hub', () => {
    const { warnings } = fromEnvironment({
      HUB_NAME: 'x',
      HUB_NAMES: 'ws://localhost',
      PATH: '/',
      THE_HUB_: 'x',
    })
    expect(warnings).toEqual([expect.stringContaining('HUB_NAME is set')])
  })

  it('are not looked at when only help or the version is wanted', () => {
    expect(readCommand(['-h'], { PORT: 'x' }).ask).toBe('help')
    expect(readCommand(['--version'], { PORT: 'x' }).ask).toBe('version')
  })

  it('leave time for the rest of the drain', () => {
    expect(mostDrainDelaySeconds).toBeLessThan(30)
  })
})

describe('--help', () => {
  it.each([40, 80, 100, 250])('fits a terminal of %i columns', (columns) => {
    const longest = Math.max(
      ...helpText('multiserver-hub', columns)
        .split('\n')
        .map((line) => line.length),
    )
    expect(longest).toBeLessThanOrEqual(Math.min(columns, 100))
  })

  it('names every flag and variable once, and the command as it was called', () => {
    const help = helpText('multiserver hub')
    expect(help).toMatch(/^Usage: multiserver hub \[options\]\n/)
    for (const [, setting] of allSettings()) {
      expect(help.match(new RegExp(`^  --(no-)?${flagOf(setting)}\\b(?!-)`, 'gm'))).toHaveLength(1)
      expect(help.match(new RegExp(`\\[${setting.env}\\b[,;]`, 'g'))).toHaveLength(1)
    }
  })
})

describe('the table of the manual', () => {
  it('has a row for every setting, with what it must be', () => {
    const table = settingsTable()
    for (const [, { env, byDefault, help }] of allSettings()) {
      expect(table).toMatch(new RegExp(`^\\| \`${env}\``, 'm'))
      expect(table).toContain(byDefault)
      expect(table).toContain(help)
    }
    expect(table).not.toContain('undefined')
  })
})
