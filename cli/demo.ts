import { argv, env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { DemoHub } from './demo/demo-hub.ts'
import { defaultPort, helpText, readOptions, type DemoOptions } from './demo/options.ts'
import { PeerProcess, type PeerName } from './demo/peer-process.ts'
import { printerFor } from './demo/terminal.ts'
import { paint } from './terminal.ts'

/** `npm start`: the hub with the page, and its peers in processes of their own, until Ctrl-C. */
const print = printerFor('hub')
const peers: PeerProcess[] = []
let hub: DemoHub | undefined
let lobby: string | undefined
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
  const url = await startHub(options)
  print(`I am the hub. I introduce peers to each other and serve the page; what they say passes me by.
My address is ${url}`)
  lobby = await startPeer(
    'server',
    () => [url, String(options.netPort), String(options.wsPort)],
    (address) => {
      lobby = address
    },
  )
  await Promise.all([startPeer('desktop', () => [url]), startPeer('veteran', () => [url])])
  console.log(invitation(url))
}

/** What to do now; the rest of what is printed is to be watched. */
function invitation(url: string): string {
  const page = paint('bold', url.replace('ws:', 'http:'), process.stdout)
  return `
    Open ${page} in a browser, and once more in a second tab.
    Ctrl-C stops everything. In another terminal the hub serves you too:
    npx multiserver receive --hub ${url.replace('ws://', '')}
`
}

/** Another port only when nobody asked for this one. */
async function startHub({ port, isPortChosen }: DemoOptions): Promise<string> {
  hub = new DemoHub({
    port,
    page: fileURLToPath(new URL('../demo-web', import.meta.url)),
    tell: () => ({ lobby }),
    onRestart: () => print('Somebody at the page wants to see me restart: I am back in a moment.'),
  })
  try {
    return await hub.start()
  } catch (thrown) {
    if (isPortChosen || !isInUse(thrown)) throw thrown
    print(`Port ${defaultPort} is in use, so I take another one. (--port chooses.)`)
    return hub.start(0)
  }
}

/** Resolves to the peer's address. When it can't be kept alive, the demo is over. */
function startPeer(
  name: PeerName,
  args: () => readonly string[],
  onReady: (address: string) => void = () => undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const peer = new PeerProcess({
      name,
      args,
      onReady: (address) => {
        onReady(address)
        resolve(address)
      },
      onDied: (how) => print(`The ${name} died (${how}); I start it again.`),
      onGivenUp: (how) => {
        reject(new Error(`The ${name} ended before it was ready (${how}).`))
        if (isStopping) return
        print(`The ${name} ended (${how}), and so does the demo.`)
        void stop(1)
      },
    })
    peers.push(peer)
    peer.start()
  })
}

/** First the peers, which say goodbye, then the hub. */
async function stop(code: number): Promise<void> {
  if (isStopping) return
  isStopping = true
  if (peers.length > 0) print('Stopping.')
  await Promise.all(peers.map((peer) => peer.stop()))
  await hub?.close()
  process.exit(code)
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
