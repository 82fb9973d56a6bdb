import { present } from '../../dist/bench/browser/page.js'
import * as libp2p from '../rivals/libp2p-webrtc.mjs'

present(libp2p)
