// A client in a page or on Node that comes through a bridge.
import MultiServer from 'multiserver'
import rtc from 'multiserver/plugs/rtc'
import shs from 'multiserver/plugs/shs'
import shs2 from 'multiserver/plugs/shs2'
import tunnel from 'multiserver/plugs/tunnel'

export function connect(address, keys) {
  const ms = MultiServer([[rtc(), shs2({ keys }), tunnel(), shs({ keys })]])
  return ms.client(address)
}
