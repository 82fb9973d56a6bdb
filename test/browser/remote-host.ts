import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Bytes, ByteStream, Listener, Transport } from '../../core/types.ts'
import { decodeCall, encodeMessage, type RemoteCall, type RemoteReply } from './remote-message.ts'

export interface RemoteHost {
  /** Where a page takes the controls: one WebSocket for one listener and the streams that it accepts. */
  readonly url: string
  close(): Promise<void>
}

/** Listens and holds streams for pages, which can't listen, and does with them what the page says. */
export async function startRemoteHost(createTransport: () => Transport): Promise<RemoteHost> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  server.on('connection', (socket) => serve(socket, createTransport()))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate()
        server.close(() => resolve())
      }),
  }
}

function serve(socket: WebSocket, transport: Transport): void {
  const streams: ByteStream[] = []
  const abortReasons = new Map<ByteStream, Error>()
  let listener: Listener | undefined

  function tell(head: RemoteReply, bytes?: Uint8Array): void {
    if (socket.readyState === socket.OPEN) socket.send(encodeMessage(head, bytes))
  }

  function accept(stream: ByteStream): void {
    const accepted = streams.push(stream) - 1
    tell({ accepted, info: { ...stream.info } })
    void stream.closed.then(() => tell({ closed: accepted }))
  }

  async function listen(): Promise<readonly string[]> {
    listener = await transport.listen?.(accept, {
      signal: new AbortController().signal,
      transforms: [],
      onError: () => undefined,
      onConnectionError: () => undefined,
    })
    return listener?.addresses('device') ?? []
  }

  async function obey({ call: reply, act, stream: number }: RemoteCall, bytes: Bytes): Promise<void> {
    if (act === 'listen') return tell({ reply, addresses: await listen() })
    if (act === 'close') {
      await listener?.close()
      return tell({ reply })
    }
    const stream = streams[number]
    if (stream === undefined) throw new Error(`there is no stream ${number}`)
    if (act === 'read') {
      const chunk = await stream.read()
      return tell({ reply, isEnd: chunk === null }, chunk ?? undefined)
    }
    if (act === 'abort') {
      const reason = new Error('the page said so')
      if (!abortReasons.has(stream)) abortReasons.set(stream, reason)
      stream.abort(reason)
    } else await (act === 'write' ? stream.write(bytes) : stream.end())
    tell({ reply })
  }

  socket.on('message', (message: Buffer<ArrayBuffer>) => {
    const { head, bytes } = decodeCall(Uint8Array.from(message))
    obey(head, bytes).catch((thrown: unknown) => {
      const stream = streams[head.stream]
      const isAbortReason = stream !== undefined && abortReasons.get(stream) === thrown
      const why = thrown instanceof Error ? thrown.message : 'it threw what is no error'
      tell({ failed: head.call, why, isAbortReason })
    })
  })
  socket.on('close', () => {
    void listener?.close()
    for (const stream of streams) stream.abort()
  })
}
