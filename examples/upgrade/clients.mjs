// Two clients of that server: one from before shs2 was thought of, and one of today.
import MultiServer from 'multiserver'
import net from 'multiserver/plugs/net'
import shs from 'multiserver/plugs/shs'
import shs2 from 'multiserver/plugs/shs2'
import { dialPeer } from 'multiserver/directory'

/** Knows nothing but shs. */
export const oldClient = ({ keys, appKey }) => MultiServer([[net(), shs({ keys, appKey })]])

/** Knows both. Nothing else is different: which of them is taken is decided by the address. */
export const newClient = ({ keys, appKey }) =>
  MultiServer([
    [net(), shs({ keys, appKey })],
    [net(), shs2({ keys, appKey })],
  ])

/** Dials an address that it was once given; resolves to what the server says, or to the error. */
export const ask = (client, address) => answerOf(client.client(address))

/** Looks up what the server serves now, and dials the strongest of that which the client knows. */
export const lookUpAndAsk = (client, hub, key) => answerOf(dialPeer(client, hub, key))

async function answerOf(dialing) {
  try {
    const connection = await dialing
    const answer = new TextDecoder().decode(await connection.read())
    await connection.close()
    return answer
  } catch (error) {
    return `${error.code}: ${error.message}`
  }
}
