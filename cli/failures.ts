import { CommanderError } from 'commander'
import { MultiserverError, type ErrorCode } from '../core/errors.ts'
import { Interrupted } from './interruption.ts'
import { paint, printable, say } from './terminal.ts'

/** What the exit codes mean; docs/command.md has the table, and a test holds it to this one. */
export const exitCodes = {
  ok: 0,
  /** Anything that none of the others is for. */
  failed: 1,
  /** The command line, an address or a key file can not be meant. */
  usage: 2,
  /** The peer or the hub is not there, or does not answer. */
  unreachable: 3,
  /** Somebody is there, and says no or is not who they should be. */
  refused: 4,
  /** It was connected, and broke off in the middle. */
  broken: 5,
} as const

export type ExitName = keyof typeof exitCodes

/** What a command itself finds wrong, with what to do about it. */
export class CliError extends Error {
  readonly exit: ExitName
  readonly remedy: string

  constructor(exit: ExitName, message: string, remedy: string, cause?: unknown) {
    super(message, { cause })
    this.exit = exit
    this.remedy = remedy
  }
}

/** Tells stderr what went wrong and what to do about it. Gives the exit code. */
export function reportFailure(thrown: unknown): number {
  // It has said everything itself.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  if (thrown instanceof Interrupted) return thrown.exitCode
  for (const line of describeFailure(thrown)) say(line)
  return exitCodes[exitOf(thrown)]
}

/** In lines: the code and what happened, each attempt where there were several, and the remedy. */
export function describeFailure(thrown: unknown): string[] {
  const error = mainError(thrown)
  const parts = error instanceof MultiserverError ? (error.attempts ?? error.causes ?? []) : []
  const rows = parts.map((part) => `  ${printable(part.address ?? part.code)}\n    ${briefly(part)}`)
  const remedies = new Set([error, ...parts].flatMap((each) => remedyOf(each) ?? []))
  return [
    `${paint('red', 'multiserver:')} ${parts.length > 0 ? summaryOf(error) : briefly(error)}`,
    ...rows,
    ...[...remedies].map((remedy) => `  ${paint('cyan', '→')} ${remedy}`),
  ]
}

/** On one line, without the remedy. */
export function describeBriefly(thrown: unknown): string {
  return briefly(mainError(thrown))
}

/** Where only one thing was tried, what became of that says it all. */
function mainError(thrown: unknown): unknown {
  if (!(thrown instanceof MultiserverError)) return thrown
  const [only, ...more] = thrown.attempts ?? thrown.causes ?? []
  return only !== undefined && more.length === 0 ? only : thrown
}

function summaryOf(error: unknown): string {
  if (!(error instanceof MultiserverError)) return briefly(error)
  return error.code === 'LISTEN_FAILED'
    ? 'LISTEN_FAILED: it can not listen everywhere'
    : `${error.code}: nothing in the address could be connected to`
}

function briefly(thrown: unknown): string {
  const message = printable(thrown instanceof Error ? thrown.message : String(thrown))
  return thrown instanceof MultiserverError ? `${thrown.code}: ${message}` : message
}

function remedyOf(thrown: unknown): string | undefined {
  if (thrown instanceof CliError) return thrown.remedy
  if (!(thrown instanceof MultiserverError)) return undefined
  return outcomes[thrown.code].remedy
}

/** Somebody who says no tells more than others who are not there. */
export function exitOf(thrown: unknown): ExitName {
  if (thrown instanceof CliError) return thrown.exit
  if (!(thrown instanceof MultiserverError)) return 'failed'
  const exits = (thrown.attempts ?? []).map(exitOf)
  if (exits.length > 0) return exits.includes('refused') ? 'refused' : (exits[0] ?? 'failed')
  return outcomes[thrown.code].exit
}

interface Outcome {
  readonly exit: ExitName
  /** A sentence for who sits at the command line; absent where the errors beneath have it. */
  readonly remedy?: string
}

const dialAgain = 'Run it again. What was sent last may not have arrived.'

/** For each code of docs/errors.md; the remedies there are for programmers. */
const outcomes: Readonly<Record<ErrorCode, Outcome>> = {
  ABORTED: { exit: 'failed', remedy: 'It was told to stop.' },
  ADDRESS_INVALID: {
    exit: 'usage',
    remedy:
      'Ask for the address again, put it between single quotes, and see `multiserver address ADDRESS` for what is wrong where.',
  },
  AUTH_REFUSED: { exit: 'refused', remedy: 'The other side must let your key in: --allow KEY there.' },
  BUSY: { exit: 'unreachable', remedy: 'Try again in a while.' },
  CLOSED: { exit: 'broken', remedy: 'The connection was closed before all was written. Run it again.' },
  CONNECT_FAILED: {
    exit: 'unreachable',
    remedy:
      'See that the other side runs and that its port is open; `multiserver doctor` examines this network.',
  },
  CONNECTION_LOST: { exit: 'broken', remedy: dialAgain },
  DIAL_FAILED: { exit: 'unreachable' },
  DOWNGRADE_REFUSED: {
    exit: 'refused',
    remedy: 'Ask for an address with shs2 or shs in it; a newer version of this program may know more.',
  },
  HANDSHAKE_FAILED: {
    exit: 'refused',
    remedy: 'Both sides need the same --app-key, and the protocol that the address names.',
  },
  HUB_LOST: {
    exit: 'unreachable',
    remedy: 'See that the hub runs and that its URL is right; `multiserver doctor --hub URL` asks it.',
  },
  HUB_REFUSED: {
    exit: 'refused',
    remedy: 'The message has the reason of the hub: a limit, or a name that it does not go by.',
  },
  HUB_REPLACED: {
    exit: 'refused',
    remedy: 'Another process took over with the same key at this hub: give each a --key of its own.',
  },
  KEYS_INVALID: { exit: 'usage', remedy: 'Make keys with `multiserver keygen FILE`.' },
  LISTEN_FAILED: { exit: 'failed', remedy: 'Choose another port, or 0 for any that is free.' },
  NO_STACK_FITS: { exit: 'usage', remedy: 'A newer version of this program may know that protocol.' },
  PATH_LOST: { exit: 'broken', remedy: dialAgain },
  PEER_NOT_FOUND: {
    exit: 'unreachable',
    remedy: 'See that the other side runs, at the same hub, with the key that is in the address.',
  },
  PEER_RESET: { exit: 'broken', remedy: 'The other side gave up; the message has its reason.' },
  PROTOCOL: { exit: 'broken', remedy: 'That is another program or another version: nothing to repair here.' },
  RECEIVE_OVERFLOW: {
    exit: 'broken',
    remedy: 'The other side sent faster than this transport can be slowed down.',
  },
  RECORD_INVALID: {
    exit: 'refused',
    remedy: 'Ask another hub; if the record has expired, look at the clocks.',
  },
  RECORD_NOT_FOUND: {
    exit: 'unreachable',
    remedy: 'See that the peer runs and publishes at this hub, and check the key.',
  },
  RECORD_STALE: {
    exit: 'refused',
    remedy: 'Ask another hub, or later: this one is out of date or plays false.',
  },
  RELAY_LIMIT: {
    exit: 'broken',
    remedy:
      'What the relay of the hub grants is used up: `multiserver doctor` tells why no direct path opens.',
  },
  RTC_LIMIT: { exit: 'failed', remedy: 'Too many WebRTC connections are open: end some.' },
  RTC_UNAVAILABLE: { exit: 'failed', remedy: 'Install WebRTC for Node: npm install wrtc@npm:@roamhq/wrtc' },
  SEND_OVERFLOW: { exit: 'failed', remedy: 'That is a fault of this program: please report it.' },
  SIGNAL_INVALID: {
    exit: 'refused',
    remedy: 'Check the key in the address: what is sealed to another peer does not open.',
  },
  STACK_INVALID: { exit: 'usage', remedy: 'See --help for how to say where to listen.' },
  TIMEOUT: { exit: 'unreachable', remedy: 'Try again, or allow more time with --timeout SECONDS.' },
  TRUNCATED: { exit: 'broken', remedy: 'Bytes are missing at the end. Run it again.' },
  TUNNEL_REFUSED: {
    exit: 'refused',
    remedy: 'The bridge must let your key in: `allow` in its configuration.',
  },
  TUNNEL_UNKNOWN: {
    exit: 'refused',
    remedy: 'Check the key behind tunnel: in the address; the bridge does not have it.',
  },
  TUNNEL_UNREACHABLE: {
    exit: 'unreachable',
    remedy: 'See that the server behind the bridge runs; the log of the bridge has the cause.',
  },
  UTP_UNAVAILABLE: { exit: 'failed', remedy: 'npm install utp-native, or use net where it has no build.' },
  WRONG_KEY: {
    exit: 'refused',
    remedy: 'Get the address anew; or the other side does not let your key in: --allow KEY there.',
  },
}
