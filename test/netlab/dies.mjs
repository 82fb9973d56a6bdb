// A laboratory, as built, whose process does nothing until it is killed. Says its prefix.
import { createLab } from '../../dist/test/netlab/lab.js'

const lab = await createLab({ nats: ['portres'], seed: 1 })
process.send(lab.prefix)
