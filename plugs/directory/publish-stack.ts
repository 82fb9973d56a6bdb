import type { MultiserverError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { addServed } from './publication.ts'
import { addressesOf } from './publish.ts'
import type { Identity } from '../../core/types.ts'

/** What a listening rtc stack publishes at its hub beside its own address. */
export interface PublishStackOptions {
  /**
   * The whole address of the application: `() => ms.stringify('public')`. Asked once all stacks listen, and whenever the
   * record is renewed; alternatives that do not end in the stack's key are left out.
   */
  address?: (() => string) | undefined
  /** Whether the hub may show the record to those who do not know the key. @default false */
  listed?: boolean | undefined
}

export interface ListeningStack {
  readonly hubUrl: string
  readonly identity: Identity
  /** Its own address. */
  readonly own: string
  /** See `ListenContext.started`. */
  readonly started: Promise<void> | undefined
  readonly onError: (error: MultiserverError) => void
}

/** Publishes a stack that listens, once the others of its server do. Gives the function that withdraws it. */
export function publishStack(stack: ListeningStack, options: PublishStackOptions): () => Promise<void> {
  const { hubUrl, identity, own, started = Promise.resolve(), onError } = stack
  const addresses = () => {
    const wider = addressesOf(options.address?.() ?? '', identity.publicKey)
    return [...wider, ...addressesOf(own, identity.publicKey)]
  }
  let remove: (() => Promise<void>) | undefined
  let isWithdrawn = false
  void started.then(() => {
    if (isWithdrawn) return
    const { lifeMs } = limits.record
    remove = addServed(identity, {
      hubUrl,
      addresses,
      listed: options.listed ?? false,
      lifeMs,
      onError,
    }).remove
  })
  return async () => {
    isWithdrawn = true
    await remove?.()
  }
}
