/** Dials the address, says a word, reads the answer, closes, and calls nothing else: the process is to end by itself. */
import MultiServer from 'multiserver'
import { generateKeys } from 'multiserver/keys'
import rtc from 'multiserver/plugs/rtc'
import shs from 'multiserver/plugs/shs'

const [, , address, how] = process.argv
const ms = MultiServer([[rtc(), shs({ keys: await generateKeys() })]])
const connection = await ms.client(address)
await connection.write(new TextEncoder().encode('hello'))
const answer = await connection.read()
process.send({ answer: new TextDecoder().decode(answer) })
if (how === 'abort') {
  connection.abort()
  await connection.closed
} else await connection.close()
process.send({ closed: true })
// What the parent listens to would keep this process, and is no part of what is looked at.
process.disconnect()
