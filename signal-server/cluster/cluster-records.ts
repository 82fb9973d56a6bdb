import { fromBase64Url, toBase64Url } from '../../core/bytes.ts'
import { limits } from '../../core/limits.ts'
import { decodeRecord, type PeerRecord, readRecord } from '../../core/record.ts'
import type { Bytes } from '../../core/types.ts'
import { isInForce, type RecordReader, type Records } from '../records.ts'
import type { ClusterNode } from './cluster-node.ts'

/**
 * The records of all hubs that are one. What the cluster says is checked like what a peer says, and never replaces
 * something newer that this node has; while the cluster is away, this node has what it has.
 */
export class ClusterRecords implements RecordReader {
  readonly #own: Records
  readonly #cluster: ClusterNode

  constructor(own: Records, cluster: ClusterNode) {
    this.#own = own
    this.#cluster = cluster
  }

  async find(key: string, nowMs: number): Promise<Bytes | undefined> {
    const bytes = await this.#cluster.findRecord(key)
    const publicKey = fromBase64Url(key)
    if (bytes === undefined || publicKey === null) return this.#own.find(key, nowMs)
    const own = this.#own.newest(key, nowMs)
    // The usual case, and no signature has to be looked at.
    if (own !== undefined && (decodeRecord(bytes)?.sequence ?? 0) <= own.record.sequence)
      return this.#own.find(key, nowMs)
    const read = readRecord(bytes, publicKey, nowMs)
    if (read.kind === 'refused') return this.#own.find(key, nowMs)
    // Only of keys that were published here: who looks others up must not drive those out.
    if (own !== undefined) this.#own.put(key, bytes, read.record, nowMs)
    return isInForce(read.record, nowMs) ? bytes : undefined
  }

  async list(after: string, nowMs: number): Promise<readonly Bytes[]> {
    const page = await this.#cluster.listRecords(after, limits.record.perPage)
    if (page === undefined) return this.#own.list(after, nowMs)
    return page.filter((bytes) => {
      const record = decodeRecord(bytes)
      return record !== null && isShown(record, after, nowMs)
    })
  }
}

/** Signatures are for whoever reads the listing: a hundred of them would cost this hub more than all else. */
function isShown(record: PeerRecord, after: string, nowMs: number): boolean {
  return record.listed && isInForce(record, nowMs) && toBase64Url(record.key) > after
}
