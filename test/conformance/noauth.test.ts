import { createPair } from '../../core/pair.ts'
import noauth from '../../plugs/noauth.ts'
import { runCases } from '../support/run-cases.ts'
import { streamCases } from './stream-cases.ts'

const { signal } = new AbortController()

// The cases of transforms are about keys, of which noauth proves none; its stream is the one below.
runCases('noauth as a stream', streamCases, {
  halfClose: true,
  backpressure: true,
  async connect() {
    const [near, far] = createPair()
    const [client, server] = await Promise.all([
      noauth().parse('noauth')?.connect(near, { signal }),
      noauth().accept(far, { signal }),
    ])
    if (client === undefined) throw new Error('noauth does not understand its own name')
    return { client: client.stream, server: server.stream }
  },
})
