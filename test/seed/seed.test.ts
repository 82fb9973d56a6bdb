import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The promises of the project's first page, kept by the built package as a user has it: each program runs in a
 * process of its own, which must end by itself.
 */
describe('the seed', () => {
  it('has a build to be tested with', () => {
    expect(existsSync(new URL('../../dist/core/multiserver.js', import.meta.url))).toBe(true)
  })

  it('is runnable with require, on the ports of the page', async () => {
    expect(await run('examples/seed.cjs')).toEqual([
      'net:localhost:1234;ws://localhost:2345',
      'hello from the server',
    ])
  })

  it('is runnable with import and two stacks that are secured', async () => {
    const [address, ...hellos] = await run('examples/seed.mjs')
    expect(address).toMatch(/^net:localhost:3333~shs:([\w+/]{43}=);net:localhost:4444~shs2:\1$/)
    expect(hellos).toEqual(['hello over shs', 'hello over shs2'])
  })
})

describe('require', () => {
  it('gives the functions themselves', async () => {
    const names = ['', '/plugs/net', '/plugs/ws', '/plugs/shs', '/plugs/shs2', '/plugs/memory', '/plugs/rtc']
    const program = names.map((name) => `console.log(typeof require('multiserver${name}'))`).join('\n')
    expect(await runText('commonjs', program)).toEqual(names.map(() => 'function'))
  })

  it('serves and dials two protocols', async () => {
    const program = `
      const MultiServer = require('multiserver')
      const net = require('multiserver/plugs/net'), ws = require('multiserver/plugs/ws')
      ${twoProtocols}`
    expect(await runText('commonjs', program)).toEqual(['function', 'net ok', 'ws ok', 'closed'])
  })

  it('serves, prints and dials a secured protocol', async () => {
    const program = `
      const MultiServer = require('multiserver')
      const net = require('multiserver/plugs/net'), shs = require('multiserver/plugs/shs')
      require('multiserver/keys').generateKeys().then((keys) => { ${secured} })`
    expect(await runText('commonjs', program)).toEqual(['net~shs', 'true', 'closed'])
  })
})

describe('import', () => {
  it('gives the functions as default and by name', async () => {
    const program = `
      import MultiServer, { MultiServer as named } from 'multiserver'
      import net, { net as namedNet } from 'multiserver/plugs/net'
      console.log(MultiServer === named, net === namedNet)`
    expect(await runText('module', program)).toEqual(['true true'])
  })

  it('serves and dials two protocols', async () => {
    const program = `
      import MultiServer from 'multiserver'
      import net from 'multiserver/plugs/net'
      import ws from 'multiserver/plugs/ws'
      ${twoProtocols}`
    expect(await runText('module', program)).toEqual(['function', 'net ok', 'ws ok', 'closed'])
  })

  it('serves, prints and dials a secured protocol', async () => {
    const program = `
      import MultiServer from 'multiserver'
      import net from 'multiserver/plugs/net'
      import shs from 'multiserver/plugs/shs'
      import { generateKeys } from 'multiserver/keys'
      const keys = await generateKeys()
      ${secured}`
    expect(await runText('module', program)).toEqual(['net~shs', 'true', 'closed'])
  })
})

/** The seed's calls, all of them with callbacks, on ports that the system chooses. */
const twoProtocols = `
const ms = MultiServer([net({ port: 0 }), ws({ port: 0 })])
const close = ms.server((stream) => stream.close(), null, (error) => {
  if (error) throw error
  console.log(typeof close)
  const [first, second] = ms.stringify().split(';')
  ms.client(first, (error, stream) => {
    if (error) throw error
    console.log(stream.address === first && 'net ok')
    stream.close()
    ms.client(second, (error, stream) => {
      if (error) throw error
      console.log(stream.address === second && 'ws ok')
      stream.close()
      close(() => console.log('closed'))
    })
  })
})`

const secured = `
const ms = MultiServer([[net({ port: 0 }), shs({ keys, auth: (key, callback) => callback(null, true) })]])
const close = ms.server((stream) => stream.close(), null, () => {
  const address = ms.stringify()
  console.log(ms.parse(address)[0].map((section) => section.name).join('~'))
  ms.client(address, (error, stream) => {
    if (error) throw error
    console.log(Buffer.compare(stream.remote, keys.publicKey) === 0)
    stream.close()
    close(() => console.log('closed'))
  })
})`

function run(file: string): Promise<string[]> {
  return execute([file])
}

function runText(type: 'commonjs' | 'module', program: string): Promise<string[]> {
  return execute([`--input-type=${type}`, '--eval', program])
}

/** The lines printed by a process that ended by itself with code 0 and had nothing to complain about. */
function execute(parameters: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, timeout: 15_000, killSignal: 'SIGKILL' } as const
    execFile(process.execPath, parameters, options, (error, stdout, stderr) => {
      const complaints = stderr.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, '')
      if (error !== null) reject(new Error(`${error.message}\n${stdout}\n${stderr}`))
      else if (complaints !== '') reject(new Error(complaints))
      else resolve(stdout.trim().split('\n'))
    })
  })
}
