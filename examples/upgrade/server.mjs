// A server that moves its network from shs to shs2, as the story beside this file tells.
import MultiServer from 'multiserver'
import net from 'multiserver/plugs/net'
import shs from 'multiserver/plugs/shs'
import shs2 from 'multiserver/plugs/shs2'
import { publish } from 'multiserver/directory'

const protocols = { shs, shs2 }

/**
 * Serves each of `ports`, an object from the names of protocols to ports (0: the system chooses), and has the hub say so.
 * Each connection is told over which protocol it came.
 */
export async function startServer({ hub, keys, appKey, ports }) {
  const stacks = Object.entries(ports).map(([name, port]) => [
    net({ port }),
    protocols[name]({ keys, appKey }),
  ])
  const ms = MultiServer(stacks)
  const close = ms.server(async (connection) => {
    const [, transform] = connection.address.split('~')
    await connection.write(new TextEncoder().encode(transform.split(':')[0]))
    await connection.close()
  })
  await close.listening
  // 'device', because this example stays on one machine; a real server would say ms.stringify('public').
  const record = publish({ hub, keys, address: () => ms.stringify('device') })
  await record.published
  return {
    address: ms.stringify('device'),
    async close() {
      await close()
      await record.close()
    },
  }
}
