import { expect, it } from 'vitest'
import MultiServer from '../../../core/multiserver.ts'
import { generateKeys } from '../../../plugs/keys.ts'
import net from '../../../plugs/net.ts'
import shs from '../../../plugs/shs/index.ts'
import shs2 from '../../../plugs/shs2/index.ts'

/** Longer than a test may take: whoever waits for it does not pass. */
const lingerMs = 600_000

it.each([shs, shs2])(
  'a client closes at once when the server has ended and never reads, over %o',
  async (secret) => {
    const server = MultiServer([[net(), secret({ keys: await generateKeys(), lingerMs })]], { lingerMs })
    const close = server.server((connection) => connection.end())
    await close.listening
    const client = MultiServer([[net(), secret({ keys: await generateKeys(), lingerMs })]], { lingerMs })
    const connection = await client.client(server.stringify())
    await connection.close()
    expect(connection.error).toBeUndefined()
    await close()
  },
)
