import { lookup, type FoundPeer } from '../../plugs/directory/index.ts'
import { toBase64 } from '../../core/bytes.ts'
import { CliError } from '../failures.ts'
import { requireHub } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { print, printJson, say } from '../terminal.ts'
import type { Bytes } from '../../core/types.ts'

interface LookupFlags {
  readonly hub?: string | undefined
  readonly allowPrivate?: boolean | undefined
  readonly all?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Prints what can be dialed from here. */
export async function find(key: Bytes, flags: LookupFlags): Promise<void> {
  const { allowPrivate, all = false, json = false } = flags
  const found = await lookup(requireHub(flags.hub), key, { allowPrivate, signal: onInterruption() })
  if (json) return printJson(asJson(found))
  if (all) return found.alternatives.forEach((alternative) => print(alternative))
  if (found.address === '') {
    throw new CliError(
      'unreachable',
      'nothing of what this key serves may be dialed from here',
      '--all shows what there is; --allow-private allows local networks too.',
    )
  }
  say(`Signed by the key, and good until ${new Date(found.expiresAtMs).toISOString()}:`)
  print(found.address)
}

function asJson({ key, ...found }: FoundPeer) {
  return { key: toBase64(key), ...found }
}
