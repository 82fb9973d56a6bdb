import { performance } from 'node:perf_hooks'
import type { Cluster, ClusterLink, ClusterListener } from './cluster.ts'
import { Register } from './register.ts'

/** A cluster of hubs within one process: what it gives to one hub, it can give to others. */
export function memory(): Cluster {
  const register = new Register()
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
