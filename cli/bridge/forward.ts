import { parseAddress } from '../../core/address.ts'
import { CountGate } from '../../core/count-gate.ts'
import { abortReason } from '../../core/deadline.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { Joint } from '../../plugs/tunnel/joint.ts'
import { transportFrom } from '../stacks.ts'
import { widestAddresses } from './widest-addresses.ts'
import type { ByteStream } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.ts'
import type { BridgeLimits, ForwardConfig } from './config.ts'
import type { BridgeLog } from './log.ts'

export interface ForwardContext {
  /** As whom it dials other bridges. */
  readonly keys: Keys
  readonly appKey: string | undefined
  readonly limits: BridgeLimits
  readonly log: BridgeLog
}

export interface RunningForward {
  /** What old software dials: the end of `to` is proved to it by the far end itself. */
  readonly addresses: readonly string[]
  /** Ends what is open, and resolves when all is released. */
  close(): Promise<void>
}

/**
 * Accepts at `listen` and passes bytes to the far end, the last section of whose address is spoken with
 * it by who connects: the bridge can read nothing.
 *
 * @throws CliError, LISTEN_FAILED
 */
export async function startForward(config: ForwardConfig, context: ForwardContext): Promise<RunningForward> {
  const { keys, appKey, limits, log } = context
  const { listen, far } = config
  const gate = new CountGate(limits.connections, limits.connectionsPerSource)
  const stops = new Set<AbortController>()
  const carrying = new Set<Promise<void>>()

  function accept(near: ByteStream): void {
    const source = near.info?.source
    if (!gate.enter(source)) {
      const busy = new MultiserverError(
        'BUSY',
        'as many connections are open as may be, in all or of one source',
      )
      log.refused(busy, listen)
      return near.abort(busy)
    }
    const stop = new AbortController()
    stops.add(stop)
    void near.closed.then(() => stop.abort(new MultiserverError('CONNECTION_LOST', 'who connected has gone')))
    const work = carry(near, stop.signal).finally(() => {
      gate.leave(source)
      stops.delete(stop)
      carrying.delete(work)
    })
    carrying.add(work)
  }

  async function carry(near: ByteStream, signal: AbortSignal): Promise<void> {
    let joint: Joint
    try {
      const stream = await far.dial({ keys, appKey, signal, timeoutMs: limits.dialSeconds * 1000 })
      joint = new Joint(near, stream, { idleMs: limits.idleSeconds * 1000 })
    } catch (thrown) {
      const error = toError(thrown, 'CONNECT_FAILED')
      log.refused(error, listen)
      return near.abort(error)
    }
    signal.addEventListener('abort', () => joint.abort(abortReason(signal)), { once: true })
    const closed = log.opened(`forward ${listen}`)
    await joint.closed
    closed(joint.passed.toFar, joint.passed.toNear, joint.error)
  }

  const [first] = parseAddress(listen)
  const transport = transportFrom(first?.[0] ?? { name: '', data: [] }, {})
  const listener = await transport.listen?.(accept, {
    signal: new AbortController().signal,
    transforms: [],
    onError: (error) => log.trouble(error),
    onConnectionError: (error) => log.trouble(error),
  })
  return {
    addresses:
      listener === undefined ? [] : widestAddresses(listener).map((section) => `${section}~${far.last}`),
    async close() {
      await listener?.close()
      for (const stop of stops) stop.abort(new MultiserverError('ABORTED', 'the bridge was stopped'))
      await Promise.all(carrying)
    },
  }
}
