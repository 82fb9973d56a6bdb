import type { Transform, Transport } from '../../core/types.ts'
import type { Keys } from '../../plugs/key-pair.ts'
import type { RtcOptions } from '../../plugs/rtc/index.ts'
import type { Contestant } from '../contestant.ts'
import { introduceByHub } from './introduce-by-hub.ts'
import { dialStack, serveStack } from './stacks.ts'

// Each loaded by whom it is measured for: a bare socket has nothing else in its process either.
const direct: Record<string, () => Promise<Transport>> = {
  net: async () => (await import('../../plugs/net.ts')).default(),
  ws: async () => (await import('../../plugs/ws.ts')).default(),
  unix: async () => (await import('../../plugs/unix.ts')).default(),
}
const transforms: Record<string, (keys: Keys) => Promise<Transform>> = {
  shs: async (keys) => (await import('../../plugs/shs/index.ts')).default({ keys }),
  shs2: async (keys) => (await import('../../plugs/shs2/index.ts')).default({ keys }),
}

/** This package: `net`, `ws~shs`, `rtc~shs2` and so on. */
export async function multiserver(protocols: string, options: RtcOptions = {}): Promise<Contestant> {
  const [transport = '', transform] = protocols.split('~')
  const open = direct[transport]
  const secure = async () => {
    const use = transforms[transform ?? '']
    if (use === undefined) return []
    const { generateKeys } = await import('../../plugs/keys.ts')
    return [await use(await generateKeys())]
  }
  if (open === undefined) {
    const { overHub } = await import('./over-hub.ts')
    return { introduce: introduceByHub, ...overHub(secure, options) }
  }
  return {
    serve: async () => serveStack([await open(), ...(await secure())]),
    dial: async (address) => dialStack([await open(), ...(await secure())], address),
  }
}
