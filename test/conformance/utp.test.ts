import { describe, it } from 'vitest'
import { loadUtp } from '../../plugs/utp/native.ts'
import utp from '../../plugs/utp/index.ts'
import { runCases } from '../support/run-cases.ts'
import { streamCases } from './stream-cases.ts'
import { listen, transportCases } from './transport-cases.ts'

// Nobody says that nobody is there: what waits for an answer in vain need not wait long here.
const harness = { create: () => utp({ connectTimeoutMs: 500 }), deadSection: 'utp:localhost:9' }

if (isAvailable()) {
  runCases('utp as a transport', transportCases, harness)
  runCases('utp as a stream', streamCases, {
    halfClose: true,
    backpressure: true,
    async connect() {
      const { dial, accepted, listener } = await listen(harness)
      const client = await dial()
      const server = await accepted()
      await listener.close()
      return { client, server }
    },
  })
} else {
  describe.skip('utp (utp-native does not load here)', () =>
    it('is a transport and a stream', () => undefined))
}

function isAvailable(): boolean {
  try {
    loadUtp()
    return true
  } catch {
    return false
  }
}
