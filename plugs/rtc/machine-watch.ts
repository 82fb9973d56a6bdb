import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { classifyIp, parseIp } from '../../core/ip.ts'
import { limits } from '../../core/limits.ts'

const { lookMs, sleptMs } = limits.machine

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

/**
 * Notices that the machine has other addresses, or has slept: Node tells of neither. Looks now and then, while somebody listens, and
 * keeps no process alive.
 */
export class MachineWatch {
  readonly #interfaces: () => Interfaces
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setInterval> | undefined
  #addresses = ''
  #lookedAt = 0

  constructor(interfaces: () => Interfaces = networkInterfaces) {
    this.#interfaces = interfaces
  }

  /** Calls back at each such change; the returned function stops that. */
  listen(listener: () => void): () => void {
    // The same function may be added twice.
    const own = () => listener()
    this.#listeners.add(own)
    if (this.#timer === undefined) this.#start()
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #start(): void {
    this.#addresses = this.#readAddresses()
    this.#lookedAt = Date.now()
    this.#timer = setInterval(() => this.#look(), lookMs)
    this.#timer.unref()
  }

  #look(): void {
    const addresses = this.#readAddresses()
    // The clock on the wall: that of performance.now() stands still on Linux while the machine sleeps.
    const now = Date.now()
    const hasSlept = now - this.#lookedAt >= lookMs + sleptMs
    const isElsewhere = addresses !== this.#addresses
    this.#addresses = addresses
    this.#lookedAt = now
    if (!hasSlept && !isElsewhere) return
    for (const listener of this.#listeners) listener()
  }

  /** As one text; as it was where the system does not tell. */
  #readAddresses(): string {
    try {
      return describe(this.#interfaces())
    } catch {
      return this.#addresses
    }
  }
}

/** Those that lead to others: link-local ones lead nowhere far, and come and go with each container. */
function describe(interfaces: Interfaces): string {
  const addresses = Object.entries(interfaces).flatMap(([name, infos = []]) =>
    infos.filter(({ address }) => leadsToOthers(address)).map(({ address }) => `${name} ${address}`),
  )
  return addresses.toSorted().join('\n')
}

function leadsToOthers(address: string): boolean {
  const ip = parseIp(address)
  if (ip === null) return false
  const kind = classifyIp(ip)
  return kind === 'public' || kind === 'private'
}
