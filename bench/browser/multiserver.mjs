import { overHub } from '../../dist/bench/contestants/over-hub.js'
import { present } from '../../dist/bench/browser/page.js'
import { generateKeys } from '../../dist/plugs/keys.browser.js'
import shs2 from '../../dist/plugs/shs2/index.js'

present(overHub(async () => [shs2({ keys: await generateKeys() })]))
