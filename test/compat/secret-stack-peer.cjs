/**
 * An application of secret-stack in a process of its own, on this package's compat or on multiserver 3.8.2.
 * It prints the address that it listens at as soon as it does, and the answers of peers that it is told to call.
 */
'use strict'
const Module = require('node:module')

const [, , multiserver, seed, port] = process.argv
const packages = {
  ours: (path) => require.resolve(`multiserver/compat${path}`),
  theirs: (path) => require.resolve(`multiserver-3.8.2${path}`),
}

// What secret-stack means by multiserver is the only thing that is changed.
const hook = '_resolveFilename'
const resolveFilename = Module[hook]
Module[hook] = function (request, parent, ...rest) {
  const match = /^multiserver(\/.*)?$/.exec(request)
  const isAsked = match !== null && parent?.filename.includes('secret-stack/lib')
  return isAsked
    ? packages[multiserver](match[1] ?? '')
    : resolveFilename.call(this, request, parent, ...rest)
}

const pull = require('pull-stream')
const greeter = {
  name: 'greeter',
  version: '1.0.0',
  manifest: { greet: 'async', count: 'source' },
  permissions: { anonymous: { allow: ['greet', 'count'] } },
  init: () => ({
    greet(name, callback) {
      callback(null, `hello ${name}, ${this.id} is who you are`)
    },
    count: (to) => pull.count(to),
  }),
}

const create = require('secret-stack')({ global: { appKey: Buffer.alloc(32, 42) } }).use(greeter)
const app = create({
  global: { seed: Buffer.alloc(32, Number(seed)), port: Number(port), timers: { inactivity: 60_000 } },
})

app.on('multiserver:listening', () => process.send({ id: app.id, address: app.getAddress('device') }))

process.on('message', ({ call, close }) => {
  if (close) return app.close(true, () => process.disconnect())
  app.connect(call, (error, rpc) => {
    if (error) return process.send({ error: error.message })
    rpc.greeter.greet(multiserver, (greetError, greeting) => {
      pull(
        rpc.greeter.count(999),
        pull.collect((countError, numbers) => {
          rpc.close(() => {
            process.send({ error: (greetError ?? countError)?.message, greeting, numbers: numbers?.length })
          })
        }),
      )
    })
  })
})
