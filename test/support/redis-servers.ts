import { expect, vi } from 'vitest'
import { RedisServer } from './redis-server.ts'

const slots = 16_384

/** A Redis Cluster of two servers, half of the slots on each. */
export class RedisServers {
  readonly #servers: readonly RedisServer[]

  private constructor(servers: readonly RedisServer[]) {
    this.#servers = servers
  }

  static async start(): Promise<RedisServers> {
    const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
    const servers = [await RedisServer.start(...options), await RedisServer.start(...options)]
    const started = new RedisServers(servers)
    for (const [index, server] of servers.entries()) {
      const first = (slots / servers.length) * index
      await server.ask(`CLUSTER ADDSLOTSRANGE ${first} ${first + slots / servers.length - 1}`)
      await server.ask(`CLUSTER MEET 127.0.0.1 ${servers[0]?.port}`)
    }
    const isOk = async () => {
      for (const server of servers) expect(await server.ask('CLUSTER INFO')).toContain('cluster_state:ok')
    }
    await vi.waitFor(isOk, { timeout: 20_000, interval: 100 })
    return started
  }

  get urls(): string[] {
    return this.#servers.map(({ url }) => url)
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }
}
