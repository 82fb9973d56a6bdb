/**
 * Many hubs as one. Every hub is a node; a peer registers at one of them, and clients at all of them can be
 * introduced to it. What the nodes share is a register, `key -> node`, and a channel for each node that only
 * that node listens to.
 *
 *   client            node A                 register                 node C             server peer
 *                       |                       |    <- claim {key}     |    <- register {key, signature}
 *   introduce {to} ->   |  locate {to} ->       |                       |
 *   signal ->  (held)   |        <- node C      |                       |
 *                       |  introduce {call} -> . . . . . . . . . . . .> |    incoming ->
 *                       |  signal {call, n} -> . . . . . . . . . . . .> |    signal ->
 *       <- introduced   | <. . . . . . . . . . . . . . <- accepted      |
 *       <- signal       | <. . . . . . . . . . . . . . <- signal        |    <- signal
 *
 * No other node hears of it: an introduction costs one look-up and its messages, however many nodes there are.
 *
 *   hub.ts             stays a pure state machine. It says what it wants of the cluster as effects (announce,
 *                      withdraw, locate, tell) and hears of it as events (`ClusterEvent`)
 *   neighbours.ts      pure: what a hub knows of the other nodes, and whom it is looking for
 *   announcements.ts   pure: which keys this node has, and which of them the register must be told about
 *   cluster-node.ts    between a hub and a Cluster: batches, timers, deadlines, bounds
 *   memory.ts          a Cluster within one process            redis.ts   one of many processes and machines
 *
 * **Who has a key.** The register keeps `node, epoch` for a minute; the node claims it again three times in
 * that time. A claim with an epoch that is not above the one of another node loses, and the peer that holds the
 * key there is told `replaced`. An epoch is the moment of the proof by the clock of the register, in
 * microseconds: its time now less the age of the proof, which the node measures. Nothing else is needed for the
 * newer to win, in whatever order claims arrive, after an outage in which both sides were registered, and
 * after a flush or a restart that lost all: a counter would begin anew there, time does not, and the clocks of
 * the nodes do not matter. The first claim of a proof that finds an epoch of the future goes above it: the
 * register's clock was set back. The winner sends `look` to the node that lost: to look again, not to believe it;
 * and should that be lost as well, the next claim of the key tells.
 *
 * **Nothing on the bus is trusted.** Messages are bounded, decoded by tables into fresh objects, and dropped when
 * not understood, so that a node of a later version can say more. What older nodes could not live with gets
 * another name in the keys and channels (`protocolName`): then old and new are two clusters until all are new.
 * The bus may lose messages, so the signals of each direction are numbered: one that came twice is dropped, and a
 * gap ends the introduction at both ends. `call`, the number that the client's node gives an introduction, tells
 * a message of an earlier introduction from one of a later with the same id.
 *
 * **When a node dies** telling it something fails at once, or it is silent while there are introductions with it:
 * they all end as `gone`. Its peers register elsewhere, where the first claim wins over what it left behind.
 * **When the register goes** introductions to other nodes end, new ones are answered BUSY, and those within
 * the node go on. When it is back, or has lost what it knew, everything is claimed again.
 *
 * Limits on a target hold at its node, limits on an address at the node of the client. A node's public URL is in
 * its entry.
 *
 * **Records** of the directory are kept together by their own sequences and for their own lives, and told again when
 * the register may have lost them. A node asks for them with each look-up, believes nothing that is not signed, and
 * has its own while the register is away. When a record that was published here was not the newest, its peer is told
 * RECORD_STALE a little later than by a hub that is alone.
 */

import type { Bytes } from '../../core/types.ts'
import type { SharedRecord } from './sharing.ts'

/** Where nodes meet. Given to a hub as its option `cluster`. */
export interface Cluster {
  /** Takes a place as `node` and keeps connecting until `close`. Rejects only when it can never work. */
  join(node: NodeEntry, listener: ClusterListener): Promise<ClusterLink>
}

/** What a node says about itself. */
export interface NodeEntry {
  /** 16 random bytes as base64url: a hub that starts again is another node. */
  readonly node: string
  /** The URL that peers reach this very node by, not the load balancer before all. */
  readonly url?: string | undefined
}

export interface ClusterListener {
  /** Something arrived in the channel of this node. */
  onMessage: (text: string) => void
  onConnected: () => void
  /** `reason` is for people, and for the log. */
  onDisconnected: (reason: string) => void
}

/** A place in a cluster. Every promise may take forever or reject: its user has deadlines. */
export interface ClusterLink {
  /** Says that this node is alive. */
  beat(lifeMs: number): Promise<Beat>
  /** For each claim what became of it. */
  claim(claims: readonly Claim[], lifeMs: number): Promise<Claimed[]>
  /** Gives up keys, as far as they are still of this node. */
  release(keys: readonly string[]): Promise<void>
  /** The node that has `key`. */
  locate(key: string): Promise<string | undefined>
  /** Of each: the record that is kept instead because it is not older. */
  keep(records: readonly SharedRecord[]): Promise<(Bytes | undefined)[]>
  /** The newest record of `key` that any node has published, withdrawn or not; it may have expired a little ago. */
  record(key: string): Promise<Bytes | undefined>
  /** Of those in force with the listed flag the next `count` after a key, in the order of the keys. */
  listed(after: string, count: number, unixNowMs: number): Promise<Bytes[]>
  /** Whether anybody heard it. Order is kept for each node. */
  tell(node: string, text: string): Promise<boolean>
  /** Tells the register that this node is gone. */
  leave(): Promise<void>
  /** Releases everything, whatever is still under way. */
  close(): void
}

export interface Beat {
  /** False when the register had no entry of this node: it is new there, or the register has lost what it knew. */
  wasKnown: boolean
  /** How many nodes there are, this one among them. */
  nodes: number
}

/** That a peer with `key` is at this node. */
export interface Claim {
  readonly key: string
  /** What the register gave it, 0 when it has not or when that is not known. */
  readonly epoch: number
  /** Milliseconds since the key was proved. */
  readonly ageMs: number
  /** Nothing was ever asked about this proof. */
  readonly isFirst: boolean
}

/** `lost`: another node has a newer one. */
export type Claimed =
  | { readonly kind: 'held'; readonly epoch: number; readonly before?: string | undefined }
  | { readonly kind: 'lost'; readonly to: string }

/** Changes when nodes before and after could not understand each other. */
export const protocolName = 'multiserver-cluster.1'

/** Keys are claimed again a shard at a time, so that many of them are one command and none come all at once. */
export const shards = 64

export function shardOf(key: string): number {
  let sum = 0
  for (let index = 0; index < key.length; index += 1) sum = (sum * 31 + key.charCodeAt(index)) >>> 0
  return sum % shards
}

/** The numbers of a cluster, each with its reason. */
export const defaultClusterTimes = {
  /** How long a key belongs to a node that does not claim it again: what a crash may leave behind. */
  lifeMs: 60_000,
  /** Two claims in a row may be lost. */
  claimMs: 20_000,
  /** How soon a register that was emptied or hangs is noticed. */
  beatMs: 5_000,
  /** The longest that anything is waited for, far above what a register in the same network takes. */
  deadlineMs: 2_000,
}

/** As many records as ten full hubs have: 40 MB as they commonly are. Over it goes the one that was told longest ago. */
export const sharedRecords = 100_000

export type ClusterTimes = { readonly [Name in keyof typeof defaultClusterTimes]: number }
