#!/usr/bin/env node
import { optionsFrom } from './options.ts'
import { startHub } from './start.ts'

/** The program: a hub as the environment says (see `optionsFrom`), until SIGTERM or SIGINT. */

/** After a signal: the hub is given this long to send its peers away before the process ends anyway. */
const drainMs = 30_000

try {
  const hub = await startHub(optionsFrom(process.env))
  let isEnding = false
  const end = () => {
    if (isEnding) return
    isEnding = true
    setTimeout(() => process.exit(1), drainMs).unref()
    hub.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exitCode = 1
}
