import { parseAddress } from '../../core/address.ts'
import { equalBytes, toBase64, toHex } from '../../core/bytes.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import { MultiServer } from '../../core/multiserver.ts'
import { shs2 } from '../../plugs/shs2/index.ts'
import { tunnel, type Tunnel } from '../../plugs/tunnel/index.ts'
import { transportFrom } from '../stacks.ts'
import { shortKey } from '../../core/bytes.ts'
import { startForward } from './forward.ts'
import { widestAddresses } from './widest-addresses.ts'
import type { Bytes, Transform } from '../../core/types.ts'
import type { Keys } from '../../plugs/keys.ts'
import type { BridgeConfig, ForwardConfig, TunnelConfig } from './config.ts'
import type { BridgeLog } from './log.ts'

export interface DaemonOptions {
  readonly keys: Keys
  readonly log: BridgeLog
  /** Told, once it listens there, of each address by which somebody can be reached through this bridge. */
  readonly onAddress: (address: string) => void
}

interface Running {
  close(): Promise<void>
}

/** A bridge that does what a configuration says, and then what another one says. */
export class BridgeDaemon {
  readonly #options: DaemonOptions
  readonly #first: BridgeConfig
  readonly #pass: Transform
  readonly #tunnels = new Set<Tunnel>()
  /** What listens, by what the configuration says of it. */
  readonly #running = new Map<string, Running>()
  /** The sections of each door that listens. */
  readonly #entrances = new Map<string, readonly string[]>()
  readonly #told = new Set<string>()
  #served = new Map<string, TunnelConfig>()

  constructor(config: BridgeConfig, options: DaemonOptions) {
    const { tunnels, tunnelsPerClient, dialSeconds, idleSeconds } = config.limits
    this.#options = options
    this.#first = config
    this.#pass = tunnel({
      to: (serverKey) => this.#served.get(toHex(serverKey))?.to,
      allow: (clientKey, serverKey) => this.#allows(clientKey, serverKey),
      onTunnel: (open) => this.#onTunnel(open),
      maxTunnels: tunnels,
      maxTunnelsPerClient: tunnelsPerClient,
      dialTimeoutMs: dialSeconds * 1000,
      idleMs: idleSeconds * 1000,
    })
  }

  /**
   * Starts what is new in `config`, stops what is no longer there, and ends tunnels that are no longer allowed. What is
   * in both goes on. Rejects with the first that could not start, when all has been tried.
   */
  async apply(config: BridgeConfig): Promise<void> {
    this.#noteWhatNeedsRestart(config)
    this.#served = new Map(config.tunnels.map((served) => [toHex(served.server), served]))
    for (const open of this.#tunnels) if (!this.#stillLeads(open)) open.abort(notAllowed())
    const wanted = new Map<string, () => Promise<Running>>([
      ...config.doors.map((door) => [`door ${door}`, () => this.#openDoor(door)] as const),
      ...config.forwards.map((forward) => [nameOf(forward), () => this.#startForward(forward)] as const),
    ])
    const gone = [...this.#running].filter(([name]) => !wanted.has(name))
    for (const [name] of gone) this.#running.delete(name)
    await Promise.all(gone.map(([, running]) => running.close()))
    const fresh = [...wanted].filter(([name]) => !this.#running.has(name))
    const starting = await Promise.allSettled(
      fresh.map(async ([name, start]) => this.#running.set(name, await start())),
    )
    this.#tellAddresses()
    const failed = starting.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Leaves the hubs, listens no more and ends what is open. Resolves when all is released. */
  async close(): Promise<void> {
    const running = [...this.#running.values()]
    this.#running.clear()
    await Promise.all(running.map((each) => each.close()))
  }

  async #openDoor(door: string): Promise<Running> {
    const entrances = this.#entrances
    const { keys, log } = this.#options
    const { appKey } = this.#first
    const [first] = parseAddress(door)
    if (first === undefined) throw new MultiserverError('ADDRESS_INVALID', `${door} is no place to listen`)
    const transport = transportFrom(first[0], {})
    const ms = MultiServer([[transport, shs2({ keys, appKey }), this.#pass]])
    const close = ms.server(
      // A bridge makes none.
      (connection) => connection.abort(),
      (error) => {
        if (error.code !== 'LISTEN_FAILED') log.failed(error, door)
      },
    )
    const listening = close.listening.then(() => {
      log.note(`listening at ${door}`)
      this.#entrances.set(door, widestAddresses(transport))
      this.#tellAddresses()
    })
    // A hub that is away is tried again for ever; the rest of the bridge does not wait for it.
    if (transport.name === 'rtc')
      listening.catch((thrown: unknown) => log.failed(toError(thrown, 'LISTEN_FAILED'), door))
    else await listening
    return {
      close() {
        entrances.delete(door)
        return close()
      },
    }
  }

  async #startForward(forward: ForwardConfig): Promise<Running> {
    const { keys, log } = this.#options
    const { appKey, limits } = this.#first
    const running = await startForward(forward, { keys, appKey, limits, log })
    log.note(`listening at ${forward.listen}`)
    for (const address of running.addresses) this.#tell(address)
    return running
  }

  /** Those that were not told yet: of another door, or of another server. */
  #tellAddresses(): void {
    const own = `shs2:${toBase64(this.#options.keys.publicKey)}`
    const servers = [...this.#served.values()].map(({ server }) => toBase64(server))
    for (const section of [...this.#entrances.values()].flat()) {
      for (const key of servers) this.#tell(`${section}~${own}~tunnel:${key}~shs:${key}`)
    }
  }

  #tell(address: string): void {
    if (this.#told.has(address)) return
    this.#told.add(address)
    this.#options.onAddress(address)
  }

  /** Who may come through to nobody at all is not told either what there is. */
  #allows(clientKey: Bytes, serverKey: Bytes): boolean {
    const served = this.#served.get(toHex(serverKey))
    const all = served === undefined ? [...this.#served.values()] : [served]
    return all.some(({ allow }) => allow === 'anyone' || allow.some((key) => equalBytes(key, clientKey)))
  }

  #stillLeads({ clientKey, serverKey, address }: Tunnel): boolean {
    return this.#served.get(toHex(serverKey))?.to === address && this.#allows(clientKey, serverKey)
  }

  #onTunnel(open: Tunnel): void {
    // It was allowed when it began to open; the configuration may be another by now.
    if (!this.#stillLeads(open)) return open.abort(notAllowed())
    const closed = this.#options.log.opened(
      `tunnel of client ${shortKey(open.clientKey)} to server ${shortKey(open.serverKey)}`,
    )
    this.#tunnels.add(open)
    void open.closed.then(() => {
      this.#tunnels.delete(open)
      closed(open.passed.toServer, open.passed.toClient, open.error)
    })
  }

  #noteWhatNeedsRestart(config: BridgeConfig): void {
    const changed = (['keyFile', 'appKey', 'limits'] as const).filter(
      (name) => JSON.stringify(config[name]) !== JSON.stringify(this.#first[name]),
    )
    if (changed.length > 0) this.#options.log.note(`restart the bridge for another ${changed.join(', ')}`)
  }
}

function nameOf({ listen, to }: ForwardConfig): string {
  return `forward ${listen} ${to}`
}

function notAllowed(): MultiserverError {
  return new MultiserverError('ABORTED', 'the new configuration does not have it')
}
