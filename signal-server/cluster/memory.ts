import { performance } from 'node:perf_hooks'
import { type Cluster, type ClusterLink, type ClusterListener, sharedRecords } from './cluster.ts'
import { Records } from '../records.ts'
import { Register } from './register.ts'

/** A cluster of hubs within one process: what it gives to one hub, it can give to others. */
export function memory(): Cluster {
  const register = new Register()
  const records = new Records({ keys: sharedRecords, isHere: () => false })
  const listeners = new Map<string, ClusterListener>()
  const nowMs = () => performance.timeOrigin + performance.now()
  return {
    async join({ node }, listener) {
      let wasKnown = false
      listeners.set(node, listener)
      queueMicrotask(() => listener.onConnected())
      const link: ClusterLink = {
        async beat() {
          const beat = { wasKnown, nodes: listeners.size }
          wasKnown = true
          return beat
        },
        claim: async (claims, lifeMs) => claims.map((claim) => register.claim(node, claim, lifeMs, nowMs())),
        release: async (keys) => keys.forEach((key) => register.release(node, key, nowMs())),
        locate: async (key) => register.locate(key, nowMs()),
        keep: async (told) =>
          told.map(({ key, bytes, record }) => {
            const kept = records.put(key, bytes, record, Date.now())
            return kept.kind === 'stale' ? kept.stored : undefined
          }),
        record: async (key) => records.newest(key, Date.now())?.bytes,
        listed: async (after, _count, unixNowMs) => records.list(after, unixNowMs),
        async tell(to, text) {
          const told = listeners.get(to)
          if (told !== undefined) queueMicrotask(() => told.onMessage(text))
          return told !== undefined
        },
        leave: async () => void listeners.delete(node),
        close: () => void listeners.delete(node),
      }
      return link
    },
  }
}
