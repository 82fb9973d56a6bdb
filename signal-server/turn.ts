import { createHash, createHmac } from 'node:crypto'
import type { IceServer } from '../core/hub-protocol.ts'
import { limits } from '../core/limits.ts'

export interface TurnOptions {
  /** Where the TURN server is, as browsers take it: `turn:turn.example.com`, `turns:turn.example.com:443?transport=tcp`. */
  urls: readonly string[]
  /** What coturn has as `static-auth-secret`. All hubs of a cluster have the same one. */
  secret: string
  /** How long a credential opens new allocations; it is renewed at half of it. @default 3_600_000 */
  lifeMs?: number | undefined
}

export interface IceServersOptions {
  /** Told as they are; those with TURN only to peers that were registered or introduced. @default none */
  iceServers?: readonly IceServer[] | undefined
  /** A TURN server that shares a secret with this hub. @default none */
  turn?: TurnOptions | undefined
  /** Whether clients without a key are given TURN servers too. @default true */
  turnForAnonymous?: boolean | undefined
}

/** Whose credential it is: the key that was proved, or else the address that it came from. */
export interface TurnOwner {
  readonly key: string | undefined
  readonly account: { readonly source: string }
}

export interface IceServersOfPeer {
  iceServers: IceServer[]
  /** Until which they are to be told anew; undefined when nothing in them ends. */
  renewInMs: number | undefined
}

const mostUrls = limits.signal.iceServerUrls
const defaultLifeMs = 3_600_000

/**
 * The STUN and TURN servers that peers are told. Credentials are those of coturn's REST interface: the name says
 * until when, the password is made from name and secret, and nothing is stored on either side.
 *
 * There is one credential at a time for each key or address, made anew at half its life. Which half it is follows
 * from the clock and the owner alone, each owner with a beginning of its own: so nothing is remembered per peer,
 * all hubs of a cluster give the same one, a restart changes nothing, and not all peers are renewed at once.
 */
export class IceServers {
  readonly #options: IceServersOptions
  readonly #wallMs: () => number

  /** `wallMs` is Unix time in milliseconds: the TURN server reads it too. Throws a TypeError for what peers would not take. */
  constructor(options: IceServersOptions = {}, wallMs: () => number = Date.now) {
    refuseServers([
      ...(options.iceServers ?? []),
      ...(options.turn === undefined ? [] : [credentialed(options.turn, '?', '?')]),
    ])
    if (options.turn?.secret === '') throw new TypeError('the secret of the TURN server is empty')
    this.#options = options
    this.#wallMs = wallMs
  }

  /** What everyone is told before the hub knows who it is. A fresh copy each time. */
  stunOnly(): IceServer[] {
    return this.#listed().flatMap(({ urls }) => {
      const stun = urls.filter((url) => !isTurn(url))
      return stun.length === 0 ? [] : [{ urls: stun }]
    })
  }

  /** What `owner` is told. A fresh copy each time. */
  forOwner(owner: TurnOwner): IceServersOfPeer {
    const { turn, turnForAnonymous = true } = this.#options
    if (owner.key === undefined && !turnForAnonymous) {
      return { iceServers: this.stunOnly(), renewInMs: undefined }
    }
    if (turn === undefined) return { iceServers: this.#listed(), renewInMs: undefined }
    const { server, renewInMs } = issueCredential(turn, owner.key ?? owner.account.source, this.#wallMs())
    return { iceServers: [...this.#listed(), server], renewInMs }
  }

  /** What is sent is not what the operator's object may become. */
  #listed(): IceServer[] {
    return (this.#options.iceServers ?? []).map((server) => ({ ...server, urls: [...server.urls] }))
  }
}

function issueCredential(
  turn: TurnOptions,
  owner: string,
  wallMs: number,
): { server: IceServer; renewInMs: number } {
  const halfMs = (turn.lifeMs ?? defaultLifeMs) / 2
  // The TURN server's log shows the name: it tells neither key nor address.
  const digest = createHash('sha256').update(turn.secret).update(owner).digest()
  const phaseMs = (digest.readUInt32BE(8) / 2 ** 32) * halfMs
  const startMs = Math.floor((wallMs - phaseMs) / halfMs) * halfMs + phaseMs
  const expiry = Math.floor((startMs + 2 * halfMs) / 1000)
  const name = `${expiry}:${digest.subarray(0, 8).toString('hex')}`
  const password = createHmac('sha1', turn.secret).update(name).digest('base64')
  // Never less than a millisecond: an alarm that rings a little early must not ring on and on.
  const renewInMs = Math.max(1, Math.ceil(startMs + halfMs - wallMs))
  return { server: credentialed(turn, name, password), renewInMs }
}

function credentialed({ urls }: TurnOptions, username: string, credential: string): IceServer {
  return { urls: [...urls], username, credential }
}

/** RFC 7064 and RFC 7065, which have no slashes. */
const stunForm = /^stun:(\[[0-9a-f:.]+\]|[^:/?@[\]\s]+)(:\d{1,5})?$/i
const turnForm = /^turns?:(\[[0-9a-f:.]+\]|[^:/?@[\]\s]+)(:\d{1,5})?(\?transport=(udp|tcp))?$/i

/** Peers leave out what they don't take, without a word; the operator is to hear of it. */
function refuseServers(servers: readonly IceServer[]): void {
  const urls = servers.flatMap((server) => server.urls)
  const malformed = urls.find((url) => !stunForm.test(url) && !turnForm.test(url))
  if (malformed !== undefined) {
    throw new TypeError(
      `${malformed} is no STUN or TURN server: write stun:HOST:PORT or turn:HOST:PORT?transport=udp`,
    )
  }
  const bare = servers.find(({ username, credential }) => username === undefined || credential === undefined)
  const unnamed = bare?.urls.find(isTurn)
  if (unnamed !== undefined) {
    throw new TypeError(
      `${unnamed} needs a username and a credential, or the secret that the hub shares with it`,
    )
  }
  if (urls.length > mostUrls)
    throw new TypeError(`peers take ${mostUrls} STUN and TURN URLs, not ${urls.length}`)
}

function isTurn(url: string): boolean {
  return /^turns?:/i.test(url)
}
