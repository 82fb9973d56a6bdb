import { present } from '../../dist/bench/browser/page.js'
import { simplePeer } from '../../dist/bench/contestants/simple-peer.js'
import { loadWebRtc } from '../../dist/plugs/rtc/wrtc.browser.js'

present(simplePeer(loadWebRtc))
