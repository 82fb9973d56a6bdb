import type { Description, DrivenPeer } from '../e2e/harness/peer.mjs'

/** A connection between two driven peers: the number that it has on each side. */
export interface Pair {
  readonly client: DrivenPeer
  readonly server: DrivenPeer
  readonly dialed: number
  readonly accepted: number
  /** From the dial to the connection, transforms included. */
  readonly dialMs: number
}

export async function connectPair(client: DrivenPeer, server: DrivenPeer, address: string): Promise<Pair> {
  const startedAt = performance.now()
  const dialed = await client.dial(address)
  const dialMs = performance.now() - startedAt
  return { client, server, dialed, accepted: await server.accepted(), dialMs }
}

/** A few bytes each way, however long they take. The stream stays open. */
export async function probePair({ client, server, dialed, accepted }: Pair): Promise<void> {
  await Promise.all([client.offer(dialed, probeBytes), server.offer(accepted, probeBytes)])
  await Promise.all([client.readSome(dialed, probeBytes), server.readSome(accepted, probeBytes)])
}

const probeBytes = 1024

/** Both ends' view of it. */
export function describePair({
  client,
  server,
  dialed,
  accepted,
}: Pair): Promise<[Description, Description]> {
  return Promise.all([client.describe(dialed), server.describe(accepted)])
}

/** So many random bytes each way at once, to the end. Rejects unless both sides got, in order, what was sent. */
export async function exchangeAll({ client, server, dialed, accepted }: Pair, bytes: number): Promise<void> {
  const [atClient, atServer] = await Promise.all([
    client.exchange(dialed, { bytes, endsFirst: true }),
    server.exchange(accepted, { bytes, endsFirst: false }),
  ])
  const areEqual =
    atClient.sentSha256 === atServer.receivedSha256 && atServer.sentSha256 === atClient.receivedSha256
  if (!areEqual) throw new Error(`what was received is not what was sent (${bytes} bytes each way)`)
}

export async function abortPair({ client, server, dialed, accepted }: Pair): Promise<void> {
  await Promise.all([client.abort(dialed), server.abort(accepted)])
}
