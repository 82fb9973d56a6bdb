import MultiServer, { type Connection } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import rtc, { type RtcOptions } from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import unix from '../../plugs/unix.ts'
import ws from '../../plugs/ws.ts'
import { startHub } from '../../signal-server/index.ts'
import { askEcho, askSink, type Contestant } from '../contestant.ts'
import type { Keys } from '../../plugs/key-pair.ts'
import type { Transform, Transport } from '../../core/types.ts'
import type { StackInput } from '../../core/multiserver.ts'

const direct: Record<string, () => Transport> = {
  net: () => net(),
  ws: () => ws(),
  unix: () => unix(),
}
const transforms: Record<string, (keys: Keys) => Transform> = {
  shs: (keys) => shs({ keys }),
  shs2: (keys) => shs2({ keys }),
}

/** This package: `net`, `ws~shs`, `rtc~shs2` and so on; the hub of rtc is in the server's process. */
export function multiserver(protocols: string, options: RtcOptions = {}): Contestant {
  const [transport = '', transform] = protocols.split('~')
  const open = direct[transport]
  const secure = async () => {
    const use = transforms[transform ?? '']
    return use === undefined ? [] : [use(await generateKeys())]
  }
  if (open === undefined) return overHub(secure, options)
  return {
    async serve() {
      const server = MultiServer([[open(), ...(await secure())]])
      const close = server.server((connection) => serveConnection(connection))
      await close.listening
      return { address: server.stringify(), close }
    },
    dial: async (address) => dialWith([open(), ...(await secure())], address),
  }
}

function overHub(secure: () => Promise<Transform[]>, options: RtcOptions): Contestant {
  return {
    async serve() {
      const hub = await startHub({ exemptLoopback: true })
      const server = MultiServer([[rtc({ hub: hub.url, ...options }), ...(await secure())]])
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
    dial: async (address) => dialWith([rtc(options), ...(await secure())], address),
  }
}

async function serveConnection(connection: Connection): Promise<void> {
  const first = await connection.read()
  if (first?.[0] === askEcho) return await echo(connection, first)
  if (first?.[0] === askSink) for await (const chunk of connection) void chunk
  await connection.write(Uint8Array.of(1))
  await connection.close()
}

async function echo(connection: Connection, first: Uint8Array): Promise<void> {
  await connection.write(first)
  for await (const chunk of connection) await connection.write(chunk)
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
