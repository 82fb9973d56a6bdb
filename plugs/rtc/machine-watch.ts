import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { performance } from 'node:perf_hooks'
import { classifyIp, parseIp } from '../../core/ip.ts'
import { limits } from '../../core/limits.ts'

const { lookMs, sleptMs } = limits.machine

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

export interface Machine {
  readonly interfaces: () => Interfaces
  /** For how long this process has been at work, and not waiting, in milliseconds. */
  readonly activeMs: () => number
}

/**
 * Notices that the machine has other addresses, or has slept: Node tells of neither. Looks now and then, while somebody listens, and
 * keeps no process alive.
 */
export class MachineWatch {
  readonly #machine: Machine
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setInterval> | undefined
  #addresses = ''
  #lookedAt = 0
  #activeMs = 0

  constructor(machine: Machine = { interfaces: networkInterfaces, activeMs: readActiveMs }) {
    this.#machine = machine
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
    this.#activeMs = this.#machine.activeMs()
    this.#timer = setInterval(() => this.#look(), lookMs)
    this.#timer.unref()
  }

  #look(): void {
    const addresses = this.#readAddresses()
    // The clock on the wall: that of performance.now() stands still on Linux while the machine sleeps.
    const now = Date.now()
    // Who was busy all the time is late too, and has slept through nothing.
    const activeMs = this.#machine.activeMs()
    const idleMs = now - this.#lookedAt - (activeMs - this.#activeMs)
    const hasSlept = idleMs >= lookMs + sleptMs
    const isElsewhere = addresses !== this.#addresses
    this.#addresses = addresses
    this.#lookedAt = now
    this.#activeMs = activeMs
    if (!hasSlept && !isElsewhere) return
    for (const listener of this.#listeners) listener()
  }

  /** As one text; as it was where the system does not tell. */
  #readAddresses(): string {
    try {
      return describe(this.#machine.interfaces())
    } catch {
      return this.#addresses
    }
  }
}

function readActiveMs(): number {
  return performance.eventLoopUtilization().active
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
