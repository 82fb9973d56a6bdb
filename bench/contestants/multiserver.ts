import type { Transform, Transport } from '../../core/types.ts'
import type { Keys } from '../../plugs/key-pair.ts'
import { generateKeys } from '../../plugs/keys.ts'
import net from '../../plugs/net.ts'
import type { RtcOptions } from '../../plugs/rtc/index.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import unix from '../../plugs/unix.ts'
import ws from '../../plugs/ws.ts'
import type { Contestant } from '../contestant.ts'
import { introduceByHub } from './introduce-by-hub.ts'
import { dialStack, overHub, serveStack } from './over-hub.ts'

const direct: Record<string, () => Transport> = {
  net: () => net(),
  ws: () => ws(),
  unix: () => unix(),
}
const transforms: Record<string, (keys: Keys) => Transform> = {
  shs: (keys) => shs({ keys }),
  shs2: (keys) => shs2({ keys }),
}

/** This package: `net`, `ws~shs`, `rtc~shs2` and so on. */
export function multiserver(protocols: string, options: RtcOptions = {}): Contestant {
  const [transport = '', transform] = protocols.split('~')
  const open = direct[transport]
  const secure = async () => {
    const use = transforms[transform ?? '']
    return use === undefined ? [] : [use(await generateKeys())]
  }
  if (open === undefined) return { introduce: introduceByHub, ...overHub(secure, options) }
  return {
    serve: async () => serveStack([open(), ...(await secure())]),
    dial: async (address) => dialStack([open(), ...(await secure())], address),
  }
}
