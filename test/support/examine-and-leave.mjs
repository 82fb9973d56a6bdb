/** Examines the network through the hub given, and calls nothing else: the process is to end by itself. */
import { examineNetwork } from 'multiserver/doctor'

await examineNetwork({ hub: process.argv[2] })
console.log('examined')
