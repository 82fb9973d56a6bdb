import { present } from '../../dist/bench/browser/page.js'
import * as peerjs from '../rivals/peerjs.mjs'

present(peerjs)
