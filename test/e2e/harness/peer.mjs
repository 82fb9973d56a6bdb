// The types and what each method does are in peer.d.mts. This runs as it is in a page and on Node.

const longestLastWordBytes = 1024 * 1024

export function createPeer({ MultiServer, stacks, publicKey, createHash, measureMemory }) {
  const ms = MultiServer(stacks)
  const connections = []
  const offered = new Map()
  const conversations = new Map()
  const arrived = []
  const waiting = []

  const methods = {
    async listen({ echoes = false } = {}) {
      const close = ms.server(
        (connection) => {
          if (echoes) return void echo(connection)
          const number = connections.push(connection) - 1
          const next = waiting.shift()
          if (next === undefined) arrived.push(number)
          else next(number)
        },
        () => undefined,
      )
      await close.listening
      return ms.stringify()
    },
    dial: async (address) => connections.push(await ms.client(address)) - 1,
    accepted: async () => arrived.shift() ?? new Promise((resolve) => waiting.push(resolve)),
    describe(number) {
      const { role, path = null, remote } = connections[number]
      return { role, path, remote: toHex(remote) }
    },
    stats: (number) => JSON.parse(JSON.stringify(connections[number].stats())),
    pathBecomes: (number, path) =>
      new Promise((resolve) => {
        const connection = connections[number]
        const look = () => connection.path === path && resolve()
        connection.on('path', look)
        look()
      }),
    key: () => toHex(publicKey),
    exchange: (number, options) => exchange(connections[number], options, createHash),
    talk: async (address, options) => exchange(await ms.client(address), options, createHash),
    converse(number, options) {
      const conversation = { rounds: 0, failure: null }
      conversations.set(number, conversation)
      converse(connections[number], conversation, options).catch(({ code, message }) => {
        conversation.failure = code === undefined ? message : `${code}: ${message}`
      })
    },
    conversed: (number) => conversations.get(number),
    offer(number, bytes) {
      offered.set(number, 0)
      const count = (written) => offered.set(number, offered.get(number) + written)
      writeRandom(connections[number], bytes, count).catch(() => undefined)
    },
    offered: (number) => offered.get(number),
    async readSome(number, bytes) {
      let read = 0
      while (read < bytes) read += (await connections[number].read()).length
      return read
    },
    async ending(number) {
      try {
        while ((await connections[number].read()) !== null);
        return 'end'
      } catch (error) {
        return error.code
      }
    },
    abort: (number) => connections[number].abort(),
    forget(number) {
      connections[number].abort()
      connections[number] = undefined
      conversations.delete(number)
      offered.delete(number)
    },
    memory: () => measureMemory(),
  }

  return async (name, args) => {
    try {
      return { value: await methods[name](...args) }
    } catch ({ code, message, attempts }) {
      const codes = attempts?.map((attempt) => attempt.code)
      return { failure: { code: code ?? 'none', message, attempts: codes ?? [] } }
    }
  }
}

async function echo(connection) {
  try {
    for await (const chunk of connection) await connection.write(chunk)
    await connection.end()
  } catch {
    // The client sees that it went wrong.
  }
}

async function exchange(connection, { bytes, endsFirst }, createHash) {
  const sent = createHash()
  const received = createHash()
  let receivedBytes = 0
  const readAll = async () => {
    for await (const chunk of connection) {
      received.update(chunk)
      receivedBytes += chunk.length
    }
  }
  const reading = readAll()
  // Where writing fails first, nobody waits for it.
  reading.catch(() => undefined)
  const writing = writeRandom(connection, bytes, (_, chunk) => sent.update(chunk))
  if (!endsFirst) {
    await Promise.all([writing, reading])
    await writeRandom(connection, Math.min(bytes, longestLastWordBytes), (_, chunk) => sent.update(chunk))
  } else await writing
  await connection.end()
  await reading
  await connection.closed
  return { sentSha256: toHex(sent.digest()), receivedSha256: toHex(received.digest()), receivedBytes }
}

async function converse(connection, conversation, { bytes, everyMs }) {
  for (;;) {
    const said = crypto.getRandomValues(new Uint8Array(bytes))
    await connection.write(said)
    for (let rest = said; rest.length > 0;) {
      const heard = await connection.read()
      if (heard === null) throw new Error('the conversation was ended')
      if (heard.some((byte, index) => byte !== rest[index])) throw new Error('other bytes came back')
      rest = rest.subarray(heard.length)
    }
    conversation.rounds += 1
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

async function writeRandom(connection, bytes, onWritten) {
  const chunk = new Uint8Array(64 * 1024)
  for (let rest = bytes; rest > 0; rest -= chunk.length) {
    const part = chunk.subarray(0, Math.min(rest, chunk.length))
    crypto.getRandomValues(part)
    await connection.write(part)
    onWritten(part.length, part)
  }
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
