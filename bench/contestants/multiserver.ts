import MultiServer, { type Connection } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import rtc from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import ws from '../../plugs/ws.ts'
import { startHub } from '../../signal-server/index.ts'
import { askSink, type Contestant } from '../contestant.ts'
import type { StackInput } from '../../core/multiserver.ts'

/** This package over net or ws with shs or shs2, or net alone. */
export const netShs = ours(async () => [net(), shs({ keys: await generateKeys() })])
export const wsShs = ours(async () => [ws(), shs({ keys: await generateKeys() })])
export const netShs2 = ours(async () => [net(), shs2({ keys: await generateKeys() })])
export const wsShs2 = ours(async () => [ws(), shs2({ keys: await generateKeys() })])
export const netAlone = ours(() => Promise.resolve([net()]))

function ours(makeStack: () => Promise<StackInput>): Contestant {
  return {
    async serve() {
      const server = MultiServer([await makeStack()])
      const close = server.server((connection) => serveConnection(connection))
      await close.listening
      return { address: server.stringify(), close }
    },
    dial: async (address) => dialWith(await makeStack(), address),
  }
}

/** This package over rtc~shs, with a hub in the server's process. */
export const rtcShs: Contestant = {
  async serve() {
    const hub = await startHub({ exemptLoopback: true })
    const keys = await generateKeys()
    const server = MultiServer([[rtc({ hub: hub.url }), shs({ keys })]])
    const close = server.server((connection) => serveConnection(connection))
    await close.listening
    return {
      address: server.stringify(),
      async close() {
        await close()
        await hub.close()
      },
    }
  },
  dial: async (address) => dialWith([rtc(), shs({ keys: await generateKeys() })], address),
}

async function serveConnection(connection: Connection): Promise<void> {
  const first = await connection.read()
  if (first?.[0] === askSink) for await (const chunk of connection) void chunk
  await connection.write(Uint8Array.of(1))
  await connection.close()
}

async function dialWith(stack: StackInput, address: string): ReturnType<Contestant['dial']> {
  const connection = await MultiServer([stack]).client(address)
  return {
    write: (chunk) => connection.write(chunk),
    end: () => connection.end(),
    async answer() {
      await connection.read()
    },
    close: () => connection.close(),
  }
}
