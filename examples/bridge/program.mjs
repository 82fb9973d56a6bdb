// A bridge in a program of one's own.
import MultiServer from 'multiserver'
import rtc from 'multiserver/plugs/rtc'
import shs2 from 'multiserver/plugs/shs2'
import tunnel from 'multiserver/plugs/tunnel'

/** `servers` is a Map from keys in base64 to places such as `net:10.0.0.5:8008`, `clients` a Set of keys. */
export function bridge(hub, keys, servers, clients) {
  const text = (key) => Buffer.from(key).toString('base64')
  const passing = tunnel({
    allow: (clientKey) => clients.has(text(clientKey)),
    to: (serverKey) => servers.get(text(serverKey)),
    onTunnel: ({ clientKey }) => console.log(`a tunnel of ${text(clientKey)}`),
  })
  return MultiServer([[rtc({ hub }), shs2({ keys }), passing]]).server(
    () => undefined,
    (error) => console.error(error.code, error.message),
  )
}
