import { lookup, type FoundPeer } from '../../plugs/directory/index.ts'
import { toBase64 } from '../../core/bytes.ts'
import { CliError } from '../failures.ts'
import { addJsonFlag, hubOption, parsePublicKey, requireHub } from '../flags.ts'
import { onInterruption } from '../interruption.ts'
import { examples, print, printJson, say } from '../terminal.ts'
import type { Bytes } from '../../core/types.ts'
import type { Command } from 'commander'

interface LookupFlags {
  readonly hub?: string | undefined
  readonly allowPrivate?: boolean | undefined
  readonly all?: boolean | undefined
  readonly json?: boolean | undefined
}

/** `lookup KEY`: the address that a key has signed and published. */
export function addLookup(program: Command): void {
  const command = program
    .command('lookup')
    .summary('find the address of a key')
    .description(
      'Asks a hub what a key serves now, believes nothing that the key has not signed, and prints the address to dial.',
    )
    .argument('<key>', 'the public key of the peer', parsePublicKey)
    .addOption(hubOption('the hub to ask'))
    .option('--allow-private', 'addresses of local networks too, although the hub is a public one')
    .option(
      '--all',
      'print all that was signed, one alternative a line, also what can not be dialed from here',
    )
    .addHelpText(
      'after',
      examples(
        ['multiserver lookup KEY --hub hub.example.com', 'what it serves now'],
        ['multiserver connect "$(multiserver lookup KEY --hub hub.example.com)"', 'and connect to it'],
      ),
    )
    .action(find)
  addJsonFlag(command)
}

async function find(key: Bytes, flags: LookupFlags): Promise<void> {
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
