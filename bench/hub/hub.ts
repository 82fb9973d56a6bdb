import { redis, startHub, type StartHubOptions } from '../../signal-server/index.ts'

/**
 * A hub in a process of its own. Its parent sends the options first, then asks for its memory now and then;
 * SIGTERM drains it as the program does.
 */
export type HubRequest = { start: StartHubOptions; redisUrl?: string | undefined } | { memory: true }

export type HubAnswer =
  | { listening: { url: string; hubName: string } }
  | { memory: HubMemory }
  | { failed: string }

/** In bytes, after a collection. */
export interface HubMemory {
  rss: number
  heap: number
  external: number
  /** What has been added to `Object.prototype`: must be nothing, whatever was sent. */
  prototypeKeys: string[]
}

// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit())

const prototypeKeys = Object.getOwnPropertyNames(Object.prototype)

process.once('message', (request: HubRequest) => {
  const { start, redisUrl } = 'start' in request ? request : { start: {} }
  startHub(redisUrl === undefined ? start : { ...start, cluster: redis(redisUrl) }).then(
    (hub) => {
      process.on('SIGTERM', () => {
        hub.close().then(
          () => process.exit(0),
          () => process.exit(1),
        )
      })
      process.on('message', () => answer({ memory: memoryNow() }))
      answer({ listening: { url: hub.url, hubName: hub.hubName } })
    },
    (error: unknown) => answer({ failed: String(error) }),
  )
})

function answer(message: HubAnswer): void {
  process.send?.(message)
}

function memoryNow(): HubMemory {
  // What the first collection finds dead may hold memory outside of the heap, which the second one frees.
  for (const _ of [1, 2]) globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    rss,
    heap: heapUsed,
    external,
    prototypeKeys: Object.getOwnPropertyNames(Object.prototype).filter(
      (name) => !prototypeKeys.includes(name),
    ),
  }
}
