/**
 * A client over wss on this package's compat or on multiserver 3.8.2, in a process of its own: whom to trust is told
 * to a process when it starts. Sends bytes, and says whether they came back.
 */
'use strict'
const pull = require('pull-stream')

const [, , multiserver, address] = process.argv
const path = { ours: 'multiserver/compat', theirs: 'multiserver-3.8.2' }[multiserver]
const MultiServer = require(path)
const Ws = require(`${path}/plugins/ws`)
const Shs = require(`${path}/plugins/shs`)

const chunks = Array.from({ length: 64 }, (_, index) => Buffer.alloc(40_000, index))
const sent = Buffer.concat(chunks)
const shs = Shs({ seed: Buffer.alloc(32, 32), appKey: Buffer.alloc(32, 42), auth() {}, timeout: 5000 })

MultiServer([[Ws(), shs]]).client(address, (error, stream) => {
  if (error) return console.log(JSON.stringify({ error: error.message }))
  let missing = sent.length
  // The WebSocket of 3.8.2 is closed with its own end: it ends only when it has all that it waits for.
  let end
  const source = (abort, callback) => {
    if (abort) return callback(abort)
    if (chunks.length > 0) return callback(null, chunks.shift())
    if (missing === 0) return callback(true)
    end = () => callback(true)
  }
  pull(
    source,
    stream,
    pull.through((chunk) => {
      missing -= chunk.length
      if (missing === 0) end?.()
    }),
    pull.collect((readError, received) => {
      const isSame = Buffer.concat(received).equals(sent)
      console.log(
        JSON.stringify({ error: readError?.message, isSame, remote: stream.remote.toString('base64') }),
      )
    }),
  )
})
