import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LyingHub {
  readonly url: string
  /** How each request is answered from now on. */
  answer: (response: ServerResponse, path: string) => void
  readonly paths: string[]
  close(): Promise<void>
}

/** An HTTP server that says what the test wants about records, by default on loopback only. */
export async function startLyingHub(host: string | undefined = '127.0.0.1'): Promise<LyingHub> {
  const server = createServer((request, response) => {
    hub.paths.push(request.url ?? '')
    hub.answer(response, request.url ?? '')
  })
  server.listen(0, host)
  await once(server, 'listening')
  const hub: LyingHub = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (response) => response.writeHead(404).end(),
    paths: [],
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return hub
}
