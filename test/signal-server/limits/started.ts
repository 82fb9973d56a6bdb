import { afterEach } from 'vitest'
import type { ClientOptions } from 'ws'
import { type RunningHub, startHub, type StartHubOptions } from '../../../signal-server/index.ts'
import type { HubMessage } from '../../../core/hub-protocol.ts'
import { HubClient, HubClosedError, proof, testKeys, type TestKeys } from '../hub-client.ts'

const running: RunningHub[] = []
const clients: HubClient[] = []

/** Ends with the test, its clients too. */
export async function start(options: StartHubOptions): Promise<RunningHub> {
  const started = await startHub(options)
  running.push(started)
  return started
}

export function connectTo({ url }: RunningHub, options: ClientOptions = {}): HubClient {
  const client = new HubClient(url, options)
  clients.push(client)
  return client
}

/** One that has been welcomed. */
export async function welcomed(started: RunningHub, options: ClientOptions = {}): Promise<HubClient> {
  const client = connectTo(started, options)
  await client.next('welcome')
  return client
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate()
  await Promise.all(running.splice(0).map((started) => started.close()))
})

/** The type of the next message, the code of an error, or what the socket was closed or refused with. */
export async function nextOf(client: HubClient): Promise<string> {
  return told(client.nextOfAny())
}

async function told(next: Promise<HubMessage>): Promise<string> {
  try {
    const message = await next
    return message.type === 'error' ? message.code : message.type
  } catch (error) {
    if (!(error instanceof HubClosedError)) throw error
    return String(error.closed.status ?? error.closed.code)
  }
}

export interface Joined {
  client: HubClient
  keys: TestKeys
  /** What came for the proof. */
  answer: string
}

export async function join(started: RunningHub, options: ClientOptions = {}): Promise<Joined> {
  const keys = testKeys()
  const client = connectTo(started, options)
  const first = await client.nextOfAny().catch((error: unknown) => error)
  if (first instanceof HubClosedError) {
    return { client, keys, answer: String(first.closed.status ?? first.closed.code) }
  }
  const { challenge } = first as Extract<HubMessage, { type: 'welcome' }>
  client.send(proof(keys, started.hubName, challenge))
  return { client, keys, answer: await nextOf(client) }
}
