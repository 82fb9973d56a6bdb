// The first example of this project's first page, with `require`: two protocols, one server, one client.
const MultiServer = require('multiserver')

const ms = MultiServer([
  require('multiserver/plugs/net')({ port: 1234 }),
  require('multiserver/plugs/ws')({ port: 2345 }),
])

// Starts a server for both protocols; returns a function that closes it.
const close = ms.server(
  (stream) => {
    stream.write(Buffer.from('hello from the server'))
    stream.close()
  },
  null,
  (failed) => {
    if (failed) throw failed
    console.log(ms.stringify())

    // Connects to one protocol: whichever plug understands the address, here WebSockets.
    ms.client('ws://localhost:2345', async (error, stream) => {
      if (error) throw error
      console.log(Buffer.from(await stream.read()).toString())
      stream.close()
      close()
    })
  },
)
