import { present } from '../../dist/bench/browser/page.js'
import { rawDataChannel } from '../../dist/bench/contestants/data-channel.js'
import { loadWebRtc } from '../../dist/plugs/rtc/wrtc.browser.js'

present(rawDataChannel(loadWebRtc))
