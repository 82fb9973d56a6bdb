import type { TestProject } from 'vitest/node'
import ws from '../../plugs/ws.ts'
import { startHub } from '../../signal-server/index.ts'
import { startRemoteHost } from './remote-host.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A hub on loopback. */
    hubUrl: string
    /** Holds the far ends of WebSockets. */
    wsHostUrl: string
  }
}

/** What pages need of Node: a hub to be introduced by, and somebody who accepts their WebSockets. */
export default async function startPeers(project: TestProject): Promise<() => Promise<void>> {
  const hub = await startHub({ port: 0, exemptLoopback: true, listing: true })
  const wsHost = await startRemoteHost(() => ws())
  project.provide('hubUrl', hub.url)
  project.provide('wsHostUrl', wsHost.url)
  return async () => {
    await Promise.all([hub.close(), wsHost.close()])
  }
}
