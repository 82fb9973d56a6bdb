import { generateKeys } from '../../plugs/keys.ts'
import shs from '../../plugs/shs/index.ts'
import shs2 from '../../plugs/shs2/index.ts'
import unix from '../../plugs/unix.ts'
import { runCases } from '../support/run-cases.ts'
import { runSecured } from '../support/run-secured.ts'
import { streamCases } from './stream-cases.ts'
import { connectOver, transportCases } from './transport-cases.ts'

const harness = { create: () => unix(), deadSection: 'unix:/nobody/listens/here' }

runCases('unix as a transport', transportCases, harness)
runCases('unix as a stream', streamCases, {
  halfClose: true,
  backpressure: true,
  abortShows: false,
  async connect() {
    const [client, server] = await connectOver(harness)
    return { client, server }
  },
})
for (const transform of [shs, shs2]) runSecured('unix', harness, transform, { generateKeys })
