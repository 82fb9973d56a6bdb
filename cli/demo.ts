import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { argv, env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { startDemoHub } from './demo/demo-hub.ts'
import { defaultPort, helpText, readOptions, type DemoOptions } from './demo/options.ts'
import { printerFor } from './demo/terminal.ts'
import type { RunningHub } from '../signal-server/index.ts'

/** `npm start`: the hub with the page, the server and the desktop, until Ctrl-C. */
const print = printerFor('hub')
const children: ChildProcess[] = []
let hub: RunningHub | undefined
let lobbyAddress: string | undefined
let isStopping = false

process.on('SIGINT', () => void stop(0))
process.on('SIGTERM', () => void stop(0))
process.on('SIGHUP', () => void stop(0))

try {
  const options = readOptions(argv.slice(2), env)
  if (options.help) console.log(helpText)
  else await start(options)
} catch (thrown) {
  console.error(explain(thrown))
  await stop(1)
}

async function start(options: DemoOptions): Promise<void> {
  hub = await startHub(options)
  print(`I am the hub. I introduce peers to each other and serve the page; what they say passes me by.
My address is ${hub.url}`)
  lobbyAddress = await startPeer('server', [hub.url, String(options.netPort), String(options.wsPort)])
  await startPeer('desktop', [hub.url, lobbyAddress])
  console.log(
    `\n    Open ${hub.url.replace('ws:', 'http:')} in a browser, and once more in a second tab.\n    Ctrl-C stops everything.\n`,
  )
}

/** Another port only when nobody asked for this one. */
async function startHub({ port, isPortChosen }: DemoOptions): Promise<RunningHub> {
  const page = fileURLToPath(new URL('../demo-web', import.meta.url))
  const options = { page, lobbyAddress: () => lobbyAddress }
  try {
    return await startDemoHub({ ...options, port })
  } catch (thrown) {
    if (isPortChosen || !isInUse(thrown)) throw thrown
    print(`Port ${defaultPort} is in use, so I take another one. (--port chooses.)`)
    return startDemoHub({ ...options, port: 0 })
  }
}

/** Resolves to the peer's address. When a peer dies, the demo is over. */
async function startPeer(name: 'server' | 'desktop', args: readonly string[]): Promise<string> {
  const child = fork(fileURLToPath(new URL(`demo-${name}.js`, import.meta.url)), args)
  children.push(child)
  const exited = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      reject(new Error(`The ${name} ended before it was ready.`))
      if (isStopping) return
      print(`The ${name} ended (${signal ?? `exit code ${code ?? '?'}`}), and so does the demo.`)
      void stop(1)
    })
  })
  const told = once(child, 'message').then(([message]: unknown[]) => addressIn(message))
  return Promise.race([told, exited])
}

function addressIn(message: unknown): string {
  if (typeof message === 'object' && message !== null && 'address' in message) return String(message.address)
  throw new Error('A peer said something that its parent does not understand.')
}

/** First the peers, which say goodbye, then the hub; a child that does not go in time is killed. */
async function stop(code: number): Promise<void> {
  if (isStopping) return
  isStopping = true
  if (children.length > 0) print('Stopping.')
  await Promise.all(children.map(stopChild))
  await hub?.close()
  process.exit(code)
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const gone = once(child, 'exit')
  if (child.connected) child.send('stop', () => undefined)
  const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await gone
  clearTimeout(late)
}

function isInUse(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
}

function explain(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  if (isInUse(thrown))
    return `${thrown.message}\nThat port is in use: --port chooses another, and --port 0 any free one.`
  return thrown.message
}

/** More than a child gives itself. */
const stopTimeoutMs = 6_000
