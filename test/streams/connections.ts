import { MultiServer, type Connection } from '../../core/multiserver.ts'
import { generateKeys } from '../../plugs/keys.ts'
import memory from '../../plugs/memory.ts'
import shs from '../../plugs/shs/index.ts'
import { deferred } from '../support/deferred.ts'

let names = 0

/** Two ends of a connection within this process, encrypted or not. */
export async function connectConnections(
  options: { shs?: boolean } = {},
): Promise<{ client: Connection; server: Connection }> {
  const transport = memory({ name: `streams ${names++}` })
  const ms = MultiServer(
    options.shs ? [[transport, shs({ keys: await generateKeys(), auth: () => 'welcome' })]] : [transport],
  )
  const accepted = deferred<Connection>()
  const close = ms.server(accepted.resolve)
  await close.listening
  const client = await ms.client(ms.stringify())
  const server = await accepted.promise
  void Promise.all([client.closed, server.closed]).then(() => close())
  return { client, server }
}
