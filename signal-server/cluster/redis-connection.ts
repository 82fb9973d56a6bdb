import { setTimeout } from 'node:timers/promises'
import type { RedisClientOptions } from '@redis/client'
import { MultiserverError } from '../../core/errors.ts'
import type { Script } from './redis-scripts.ts'

/** Redis as a cluster needs it, be it one server or many that share the keys. */
export interface RedisConnection {
  /** Runs `script` where `keys` are; all of them have the same hash tag. */
  run(script: Script, keys: readonly string[], values: readonly string[]): Promise<unknown>
  get(key: string): Promise<unknown>
  /** How many heard it. */
  publish(channel: string, text: string): Promise<number>
  /** Listens to the channel, anew if it was listened to already. */
  subscribe(): Promise<void>
  /** At once, whatever is under way. */
  close(): void
}

export interface RedisListener {
  channel: string
  onMessage: (text: string) => void
  onConnected: () => void
  onDisconnected: (reason: string) => void
}

/** Attempts to connect are made this far apart at most: a restart of Redis takes seconds. */
const maxRetryMs = 1_000

/** A connection on which nothing arrives for so long is made anew; a ping asks three times in that time. */
const silentMs = 15_000

/** As many may wait in the client of a Redis that hangs, until that is noticed. */
const maxCommands = 20_000

/** Starts to connect, and goes on until `close`. One URL: a server; several: nodes of a Redis Cluster. */
export async function connectToRedis(
  urls: readonly string[],
  listener: RedisListener,
): Promise<RedisConnection> {
  const client = await loadClient()
  const [url = ''] = urls
  return urls.length === 1 ? connectToServer(client, url, listener) : connectToServers(client, urls, listener)
}

type ClientModule = typeof import('@redis/client')

/** Only whoever has a cluster needs it, so it is not among the dependencies that everybody installs. */
async function loadClient(): Promise<ClientModule> {
  try {
    return await import('@redis/client')
  } catch (cause) {
    throw new MultiserverError(
      'LISTEN_FAILED',
      'a cluster on Redis needs the package @redis/client: npm install @redis/client',
      { cause },
    )
  }
}

const commonOptions = {
  // What can't be asked now is refused at once: nothing is to pile up, and the answer would come too late.
  disableOfflineQueue: true,
  commandsQueueMaxLength: maxCommands,
  pingInterval: silentMs / 3,
  socket: {
    socketTimeout: silentMs,
    reconnectStrategy: (retries: number) =>
      Math.min(50 * 2 ** retries, maxRetryMs) * (0.5 + Math.random() / 2),
  },
} satisfies RedisClientOptions

function connectToServer(
  { createClient }: ClientModule,
  url: string,
  listener: RedisListener,
): RedisConnection {
  const { channel, onMessage } = listener
  const commands = createClient({ ...commonOptions, url })
  // A connection of its own: neither direction waits behind the other.
  const channels = createClient({ ...commonOptions, url })
  let isConnected = false
  let isClosed = false
  const look = async () => {
    if (isConnected || !commands.isReady || !channels.isReady) return
    await channels.subscribe(channel, onMessage)
    if (isConnected) return
    isConnected = true
    listener.onConnected()
  }
  for (const client of [commands, channels]) {
    const onError = (error: unknown) => {
      if (isConnected && commands.isReady && channels.isReady) return
      isConnected = false
      listener.onDisconnected(String(error))
    }
    client.on('error', onError)
    // destroy() does not see a socket that is about to connect.
    client.on('connect', () => isClosed && client.destroy())
    client.on('ready', () => void look().catch(onError))
    client.connect().catch(onError)
  }
  return {
    run: ({ source, sha }, keys, values) =>
      withSource(
        source,
        (name, text) => commands.sendCommand([name, text, String(keys.length), ...keys, ...values]),
        sha,
      ),
    get: (key) => commands.sendCommand(['GET', key]),
    publish: async (to, text) => Number(await commands.sendCommand(['PUBLISH', to, text])),
    async subscribe() {
      await channels.unsubscribe(channel)
      await channels.subscribe(channel, onMessage)
    },
    close() {
      isClosed = true
      channels.destroy()
      commands.destroy()
    },
  }
}

/** As a Redis Cluster: keys and channels live on the server that has their slot. */
function connectToServers(
  { createCluster, RedisClient }: ClientModule,
  urls: readonly string[],
  listener: RedisListener,
): RedisConnection {
  const { channel, onMessage } = listener
  const [first = ''] = urls
  const { username, password, socket } = RedisClient.parseURL(first)
  const isTls = socket.tls
  const cluster = createCluster({
    rootNodes: urls.map((url) => ({ url })),
    // What root nodes say of themselves is not used for the nodes that they name.
    defaults: {
      ...commonOptions,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      socket: isTls ? { ...commonOptions.socket, tls: true } : commonOptions.socket,
    },
  })
  const ended = new AbortController()
  cluster.on('error', (error: unknown) => listener.onDisconnected(String(error)))
  // Of the server behind it hears whoever asks it something; for all others nothing has changed.
  cluster.on('node-error', () => {})
  const connect = async () => {
    while (!ended.signal.aborted) {
      try {
        await cluster.connect()
        if (ended.signal.aborted) return cluster.destroy()
        await cluster.sSubscribe(channel, onMessage)
        return listener.onConnected()
      } catch (error) {
        listener.onDisconnected(String(error))
        await setTimeout(maxRetryMs, undefined, { signal: ended.signal }).catch(() => {})
      }
    }
  }
  void connect()
  return {
    run: ({ source, sha }, keys, values) =>
      withSource(
        source,
        (name, text) =>
          cluster.sendCommand(keys[0], false, [name, text, String(keys.length), ...keys, ...values]),
        sha,
      ),
    get: (key) => cluster.sendCommand(key, true, ['GET', key]),
    publish: async (to, text) => Number(await cluster.sendCommand(to, false, ['SPUBLISH', to, text])),
    async subscribe() {
      await cluster.sUnsubscribe(channel)
      await cluster.sSubscribe(channel, onMessage)
    },
    close() {
      ended.abort()
      if (cluster.isOpen) cluster.destroy()
    },
  }
}

/** By its digest; whole, when the server has never seen it or was restarted. */
async function withSource(
  source: string,
  send: (command: string, script: string) => Promise<unknown>,
  sha: string,
): Promise<unknown> {
  try {
    return await send('EVALSHA', sha)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return send('EVAL', source)
  }
}
