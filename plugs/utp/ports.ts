import { loadUtp } from './native.ts'
import { UtpPort, type UtpAcceptor } from './port.ts'

const everyInterface = '0.0.0.0'

/** The UDP sockets of one plug. Whoever listens dials from the same one: a NAT then has one mapping for all of it. */
export class UtpPorts {
  readonly #ports = new Set<UtpPort>()
  #dialPort: Promise<UtpPort> | undefined

  /** Listens at each IPv4 address on one port, which the system chooses when it is 0. */
  async listen(ips: readonly string[], port: number, acceptor: UtpAcceptor): Promise<UtpPort[]> {
    const listening: UtpPort[] = []
    try {
      for (const ip of ips) {
        const next = await this.#take(ip, listening[0]?.port ?? port)
        next.listen(acceptor)
        listening.push(next)
      }
      return listening
    } catch (error) {
      await Promise.all(listening.map((one) => one.stopListening()))
      throw error
    }
  }

  /** The socket to reach `ip` from: that which listens, where it can, or else one that is here already. */
  async forDialing(ip: string): Promise<UtpPort> {
    const fitting = [...this.#ports].filter((port) => !port.isClosed && reaches(port.ip, ip))
    const port = fitting.find(({ isListening }) => isListening) ?? fitting[0]
    if (port !== undefined) return port
    this.#dialPort ??= this.#bind(everyInterface, 0).finally(() => (this.#dialPort = undefined))
    return this.#dialPort
  }

  /** A number that this plug has in use still, for connections of an earlier listening, is taken again. */
  async #take(ip: string, port: number): Promise<UtpPort> {
    const same = [...this.#ports].filter((one) => one.ip === ip && one.port === port)
    const free = same.find((one) => !one.isClosed && !one.isListening)
    if (free !== undefined) return free
    await Promise.all(same.filter(({ isClosed }) => isClosed).map(({ closed }) => closed))
    return this.#bind(ip, port)
  }

  async #bind(ip: string, port: number): Promise<UtpPort> {
    const bound = await UtpPort.bind(loadUtp()(), ip, port)
    this.#ports.add(bound)
    void bound.closed.then(() => this.#ports.delete(bound))
    return bound
  }
}

/** From a socket of this device one gets to this device only, and from one of the network only there. */
function reaches(from: string, to: string): boolean {
  return from === everyInterface || isLoopback(from) === isLoopback(to)
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.')
}
