// A browser that listens and dials over WebRTC, dials WebSockets, and proves and encrypts with shs2.
// From where package.json sends a bundler for browsers.
import MultiServer from '../../dist/core/multiserver.js'
import { loadOrCreateKeys } from '../../dist/plugs/keys.browser.js'
import rtc from '../../dist/plugs/rtc/index.js'
import shs2 from '../../dist/plugs/shs2/index.js'
import ws from '../../dist/plugs/ws.browser.js'

export async function start(onConnection) {
  const secret = shs2({ keys: await loadOrCreateKeys('demo') })
  const ms = MultiServer([
    [rtc({ hub: 'wss://hub.example.com' }), secret],
    [ws(), secret],
  ])
  ms.server(onConnection)
  return ms
}
