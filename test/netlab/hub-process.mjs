// A hub in a process of its own, as the package is published. Options as JSON; says where it listens.
import { startHub } from 'multiserver/signal-server'

const hub = await startHub(JSON.parse(process.argv[2]))
process.send({ url: hub.url })
process.on('message', (message) => {
  if (message === 'leave') void hub.close().then(() => process.exit())
})
process.on('disconnect', () => process.exit())
