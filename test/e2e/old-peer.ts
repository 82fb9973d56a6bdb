import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { toHex } from '../../core/bytes.ts'
import { defaultAppKey } from '../../plugs/app-key.ts'
import type { Keys } from '../../plugs/keys.ts'

const script = fileURLToPath(new URL('./harness/old-peer.cjs', import.meta.url))

/** What {@link script} tells. */
type Told =
  | { event: 'listening' }
  | { event: 'connection'; remote: string }
  | { event: 'failed'; message: string }
  | { event: 'done'; sent: string; received: string }

export interface OldServer {
  /** The keys of those who have connected, in hex. */
  readonly remotes: readonly string[]
  stop(): Promise<void>
}

/** A server of 3.8.2 at `port` of this machine that sends back what it gets. */
export async function startOldServer(keys: Keys, port: number): Promise<OldServer> {
  const remotes: string[] = []
  const child = start(keys, { mode: 'server', port }, (told) => {
    if (told.event === 'connection') remotes.push(told.remote)
  })
  await once(child, 'message')
  return { remotes, stop: () => stop(child) }
}

/** A client of 3.8.2 that sends `bytes` random ones to `address`; gives the SHA-256 of them and of what came back. */
export async function exchangeAsOldClient(
  keys: Keys,
  address: string,
  bytes: number,
): Promise<{ sent: string; received: string }> {
  const child = start(keys, { mode: 'client', address, bytes })
  const [told] = (await once(child, 'message')) as [Told]
  await stop(child)
  if (told.event !== 'done') throw new Error(`the old client: ${JSON.stringify(told)}`)
  return told
}

function start(keys: Keys, options: object, onTold: (told: Told) => void = () => undefined): ChildProcess {
  const child = fork(script)
  child.on('message', onTold)
  child.send({
    ...options,
    publicKey: toHex(keys.publicKey),
    secretKey: toHex(keys.secretKey),
    appKey: defaultAppKey,
  })
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  if (child.exitCode !== null) return
  child.disconnect()
  await gone
}
