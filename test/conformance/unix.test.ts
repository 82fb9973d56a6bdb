import unix from '../../plugs/unix.ts'
import { runCases } from '../support/run-cases.ts'
import { streamCases } from './stream-cases.ts'
import { listen, transportCases } from './transport-cases.ts'

const harness = { create: () => unix(), deadSection: 'unix:/nobody/listens/here' }

runCases('unix as a transport', transportCases, harness)
runCases('unix as a stream', streamCases, {
  halfClose: true,
  backpressure: true,
  abortShows: false,
  async connect() {
    const { dial, accepted, listener } = await listen(harness)
    const client = await dial()
    const server = await accepted()
    await listener.close()
    return { client, server }
  },
})
