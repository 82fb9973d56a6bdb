import { untilAborted } from '../../core/deadline.ts'
import type { MultiserverError } from '../../core/errors.ts'
import { addressesOf } from '../../plugs/directory/publish.ts'
import { publish } from '../../plugs/directory/index.ts'
import { keyToString } from '../../plugs/keys.ts'
import { CliError, describeFailure } from '../failures.ts'
import { requireHub } from '../flags.ts'
import { Interrupted, onInterruption } from '../interruption.ts'
import { keysForDialing } from '../key-file.ts'
import { paint, say } from '../terminal.ts'

interface PublishFlags {
  readonly hub?: string | undefined
  readonly key?: string | undefined
  readonly listed?: boolean | undefined
  /** Seconds. */
  readonly life: number
}

/** Until it is told to end, or another process takes over. */
export async function publishUntilEnd(address: string, flags: PublishFlags): Promise<void> {
  const signal = onInterruption()
  const hub = requireHub(flags.hub)
  const keys = await keysForDialing(flags.key)
  if (addressesOf(address, keys.publicKey).length === 0) {
    throw new CliError(
      'usage',
      `no alternative of the address ends in the key ${keyToString(keys.publicKey)}`,
      'Only the owner of a key can publish for it: name its file with --key FILE.',
    )
  }
  let isPublished = false
  let replace: (error: MultiserverError) => void = () => undefined
  const replaced = new Promise<never>((_resolve, reject) => (replace = reject))
  replaced.catch(() => undefined)
  const onError = (error: MultiserverError) => {
    if (error.code === 'HUB_REPLACED') replace(error)
    // It tries again by itself. What ends the publishing before it began, `published` says.
    else if (isPublished || error.code === 'HUB_LOST') for (const line of describeFailure(error)) say(line)
  }
  const lifeMs = flags.life * 1000
  const publication = publish({ hub, keys, address, listed: flags.listed, lifeMs, onError })
  try {
    await untilAborted(Promise.race([publication.published, replaced]), signal, () => undefined)
    isPublished = true
    say(`${paint('green', 'Published')} at ${hub} for ${keyToString(keys.publicKey)}, until this is ended.`)
    await untilAborted(replaced, signal, () => undefined)
  } catch (thrown) {
    if (!(thrown instanceof Interrupted)) throw thrown
  } finally {
    await publication.close()
  }
}
