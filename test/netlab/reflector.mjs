// Answers UDP at each HOST:PORT given with the sender's address. `at HOST PORT ADDRESS PORT` makes it send from there to
// that address instead, so that who asks need never have sent to that place.
import { createSocket } from 'node:dgram'

const sockets = new Map()
for (const place of process.argv.slice(2)) {
  const [host, port] = place.split(':')
  const socket = createSocket('udp4')
  socket.on('message', (message, { address, port: from }) => {
    const words = message.toString().split(' ')
    if (words[0] === 'at') sockets.get(words[1])?.send(`from ${words[1]}`, Number(words[3]), words[2])
    else socket.send(`${words[0]} ${address}:${from}`, from, address)
  })
  await new Promise((resolve) => socket.bind(Number(port), host, resolve))
  sockets.set(place, socket)
}
process.send('listening')
process.on('disconnect', () => process.exit())
