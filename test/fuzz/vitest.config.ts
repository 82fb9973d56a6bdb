import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { node } from '../../vitest.config.ts'

/** The tests whose properties are worth more than one run: whatever decodes, and the models of what has states. */
export default defineConfig({
  ...node,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    ...node.test,
    include: [
      'test/compat/sections.property.test.ts',
      'test/core/address.property.test.ts',
      'test/core/byte-queue.test.ts',
      'test/core/byte-reader.test.ts',
      'test/core/hub-name.test.ts',
      'test/core/hub-protocol.test.ts',
      'test/core/ip.test.ts',
      'test/core/strength.property.test.ts',
      'test/core/tunnel-keys.property.test.ts',
      'test/demo/protocol.test.ts',
      'test/plugs/rtc/candidates.test.ts',
      'test/plugs/rtc/flight.test.ts',
      'test/plugs/rtc/frames.test.ts',
      'test/plugs/rtc/sdp.test.ts',
      'test/plugs/rtc/send-buffer.test.ts',
      'test/plugs/rtc/session-model.test.ts',
      'test/plugs/rtc/signals.test.ts',
      'test/plugs/shs/box-stream.test.ts',
      'test/plugs/shs/handshake.property.test.ts',
      'test/plugs/shs/known-answers.test.ts',
      'test/plugs/shs2/downgrade.property.test.ts',
      'test/plugs/shs2/frames.test.ts',
      'test/plugs/socks5.test.ts',
      'test/plugs/tunnel/hostile.property.test.ts',
      'test/signal-server/alarms.test.ts',
      'test/signal-server/hub.model.test.ts',
    ],
    // It runs beside other work, at the lowest priority: a bound for what hangs only.
    testTimeout: 600_000,
    setupFiles: ['./test/fuzz/seed.setup.ts'],
  },
})
