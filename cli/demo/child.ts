import { generateKeys, keysFromSeed, type Keys } from '../../plugs/keys.ts'

/**
 * The life of a demo peer in a process of its own: it stops when it is told to, and when its parent is gone.
 * Ctrl-C reaches the whole group of processes; the parent then says when to stop, so that the children don't race it.
 */
export function liveAsChild(stop: () => Promise<unknown>): void {
  let isStopping = false
  const end = () => {
    if (isStopping) return
    isStopping = true
    // What does not close by itself must not outlive the demo.
    setTimeout(() => process.exit(1), stopTimeoutMs).unref()
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', () => {
    if (!process.connected) end()
  })
  process.on('SIGTERM', end)
  process.on('message', (message) => {
    if (message === 'stop') end()
  })
  process.on('disconnect', end)
  if (process.send !== undefined && !process.connected) end()
}

/** The keys that the parent has for this peer, so that it is the same one when it is started again. */
export function ownKeys(): Promise<Keys> {
  const seed = process.env[seedVariable]
  return seed === undefined ? generateKeys() : keysFromSeed(Buffer.from(seed, 'hex'))
}

/** In the environment of a child: 32 bytes in hex. */
export const seedVariable = 'MULTISERVER_DEMO_SEED'

/** Tells the parent where this peer can be dialed; alone in a terminal it is for the person there. */
export function tellAddress(address: string): void {
  process.send?.({ address })
}

/** A peer that is gone without a goodbye must not hold up the end of the demo. */
export const lingerMs = 2_000

const stopTimeoutMs = 4_000
