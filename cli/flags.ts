import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseKeyText } from '../core/address.ts'
import { fromBase64 } from '../core/bytes.ts'
import { hubUrlOf } from '../core/hub-name.ts'
import { CliError } from './failures.ts'
import type { Bytes, Scope } from '../core/types.ts'

/** What every command has that speaks to a peer. */
export interface PeerFlags {
  /** A file with keys. */
  readonly key?: string | undefined
  /** Base64 of 32 bytes. */
  readonly appKey?: string | undefined
  readonly relay?: 'never' | 'fallback' | 'first' | undefined
}

export interface DialFlags extends PeerFlags {
  /** Seconds; without it, as in `multiserver`. */
  readonly timeout?: number | undefined
}

export interface ListenFlags extends PeerFlags {
  /** Who may connect; absent: nobody said, which is not the same as everyone. */
  readonly allow?: Allowed | undefined
  readonly hub?: string | undefined
  readonly net?: Place | undefined
  readonly ws?: Place | undefined
  readonly unix?: string | undefined
  readonly scope?: Scope | undefined
  readonly external?: string | undefined
  /** A file to write the address to once it listens. */
  readonly addressFile?: string | undefined
}

export type Allowed = 'anyone' | readonly Bytes[]

/** `[HOST:]PORT`. */
export interface Place {
  readonly host?: string | undefined
  readonly port: number
}

/** Adds the flags of {@link DialFlags}. */
export function addDialFlags(command: Command): Command {
  return addPeerFlags(
    command,
    'who I am; made when it is not there (default: what keygen made, or a new key)',
  ).addOption(
    new Option('--timeout <seconds>', 'how long connecting may take')
      .argParser((text) => parseNumber(text, 1, 86_400))
      .default(30),
  )
}

/** Adds the flags of {@link ListenFlags}. */
export function addListenFlags(command: Command): Command {
  return addPeerFlags(
    command,
    'who I am, so that the address stays; made when it is not there (default: a new key)',
  )
    .addOption(
      new Option(
        '--allow <key>',
        'a public key that may connect, or anyone; may be given several times',
      ).argParser(parseAllowed),
    )
    .addOption(hubOption('the hub that introduces others to me, over WebRTC'))
    .addOption(new Option('--net <[host:]port>', 'listen on TCP; 0: any free port').argParser(parsePlace))
    .addOption(new Option('--ws <[host:]port>', 'listen for WebSockets').argParser(parsePlace))
    .option('--unix <path>', 'listen on a socket in the file system')
    .addOption(
      new Option(
        '--scope <scope>',
        'from where --net and --ws are reached, without a host: this machine, its networks, or everywhere',
      )
        .choices(['device', 'local', 'public'])
        .default(undefined, 'device'),
    )
    .option('--external <host>', 'the host to print for --net and --ws, as behind a port forwarding')
    .option('--address-file <file>', 'write the address to this file once it listens, for scripts')
}

/** `--hub`, which the environment can say once for all. */
export function hubOption(about: string): Option {
  return new Option('--hub <url>', about).env('MULTISERVER_HUB').argParser(parseHub)
}

/** The hub of a command that is nothing without one. @throws CliError */
export function requireHub(hub: string | undefined): string {
  if (hub !== undefined) return hub
  throw new CliError('usage', 'nothing says which hub', 'Add --hub URL, or set MULTISERVER_HUB.')
}

/** `--json`, for commands whose answer a script may want. */
export function addJsonFlag(command: Command): Command {
  return command.option('--json', 'answer with one line of JSON')
}

function addPeerFlags(command: Command, aboutKey: string): Command {
  return command
    .option('--key <file>', aboutKey)
    .addOption(
      new Option('--app-key <base64>', 'keeps networks apart; both sides need the same').argParser(
        parseAppKey,
      ),
    )
    .addOption(
      new Option(
        '--relay <when>',
        'whether bytes may pass through the relay of the hub, which can not read them',
      )
        .choices(['never', 'fallback', 'first'])
        .default(undefined, 'first'),
    )
}

function parseHub(text: string): string {
  if (hubUrlOf(text) === null)
    throw new InvalidArgumentError('A hub is a host such as hub.example.com, or a ws:// or wss:// URL.')
  return text
}

/** A TCP place of this machine where no host is named. */
export interface Service {
  readonly host: string
  readonly port: number
}

export function parseService(text: string): Service {
  const { host = '127.0.0.1', port } = parsePlace(text)
  return { host, port }
}

function parsePlace(text: string): Place {
  const place = readPlace(text)
  if (place === null)
    throw new InvalidArgumentError('It must be PORT or HOST:PORT, with a port from 0 to 65535.')
  return place
}

export function readPlace(text: string): Place | null {
  const [, before, digits = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === '' || port > 65_535) return null
  return before === undefined ? { port } : { port, host: before.replace(/^\[(.*)\]$/, '$1') }
}

export function parseNumber(text: string, least: number, most: number): number {
  const number = Number(text)
  if (!/^\d{1,15}$/.test(text) || number < least || number > most)
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  return number
}

/** 32 bytes, from text as in an address or as `keygen` prints it. */
export function parsePublicKey(text: string): Bytes {
  const key = parseKeyText(text)
  if (key === null)
    throw new InvalidArgumentError(
      'A public key is 44 characters of base64, as `multiserver keygen` prints it.',
    )
  return key
}

function parseAllowed(text: string, before: Allowed | undefined): Allowed {
  if (text === 'anyone') return 'anyone'
  const key = parsePublicKey(text)
  return before === 'anyone' ? before : [...(before ?? []), key]
}

function parseAppKey(text: string): string {
  if (fromBase64(text)?.length !== 32) throw new InvalidArgumentError('An app key is the base64 of 32 bytes.')
  return text
}
