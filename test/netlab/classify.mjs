// What the NAT before this namespace does, in the words of RFC 4787, sections 4.1 and 5. Two places on each of two
// addresses: A1, A2, B1, B2, as HOST:PORT. Tells its parent { mapping, filtering }.
import { createSocket } from 'node:dgram'

const [, , A1, A2, B1, B2] = process.argv
const patienceMs = 1000

const mapping = await classifyMapping()
const filtering = mapping === 'blocked' ? 'blocked' : await classifyFiltering()
process.send({ mapping, filtering })
process.disconnect()

async function classifyMapping() {
  const socket = await open()
  const [atA1, atA2, atB1] = await Promise.all([A1, A2, B1].map((place) => ask(socket, place)))
  socket.close()
  if (atA1 === null) return 'blocked'
  if (atA1 === atA2 && atA1 === atB1) return 'endpoint-independent'
  return atA1 === atA2 ? 'address-dependent' : 'address-and-port-dependent'
}

/** The socket speaks to A1 only; another asks the other places to send to it. */
async function classifyFiltering() {
  const [socket, asking] = await Promise.all([open(), open()])
  const own = (await ask(socket, A1)).replace(':', ' ')
  const came = new Set()
  socket.on('message', (message) => came.add(message.toString()))
  const [host, port] = A1.split(':')
  for (const place of [A2, B2]) asking.send(`at ${place} ${own}`, Number(port), host)
  await new Promise((resolve) => setTimeout(resolve, patienceMs))
  socket.close()
  asking.close()
  if (came.has(`from ${B2}`)) return 'endpoint-independent'
  return came.has(`from ${A2}`) ? 'address-dependent' : 'address-and-port-dependent'
}

function open() {
  const socket = createSocket('udp4')
  return new Promise((resolve) => socket.bind(0, () => resolve(socket)))
}

/** As which address the place sees the socket; null when no answer comes. */
function ask(socket, place) {
  const [host, port] = place.split(':')
  socket.send(place, Number(port), host)
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), patienceMs)
    socket.on('message', (message) => {
      const [asked, address] = message.toString().split(' ')
      if (asked !== place) return
      clearTimeout(timer)
      resolve(address)
    })
  })
}
