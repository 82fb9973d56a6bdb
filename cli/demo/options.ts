import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly help: boolean
  /** Of the hub and the page; 0: the system chooses. */
  readonly port: number
  /** Whether somebody asked for that port: then another one is no answer. */
  readonly isPortChosen: boolean
  readonly netPort: number
  readonly wsPort: number
}

export const defaultPort = 8989

export const helpText = `Usage: npm start -- [options]

Starts a hub that serves the demo page, and three peers in processes of their own:
the server, which listens on net (TCP) and ws (WebSocket), the desktop, which listens
on nothing and is reached over WebRTC, and the veteran, a program on multiserver 3.8.2
that is reached through a bridge. Everything stays on this machine.

  --port PORT      the page and the hub (or PORT in the environment; ${defaultPort}; 0: any free one)
  --net-port PORT  the server's TCP port (or NET_PORT; 0)
  --ws-port PORT   the server's WebSocket port (or WS_PORT; 0)
  --help           this text

Stop it with Ctrl-C.`

/** What the command line says, and then the environment. @throws an Error in plain words */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      port: { type: 'string' },
      'net-port': { type: 'string' },
      'ws-port': { type: 'string' },
    },
  })
  const port = portFrom(values.port ?? environment['PORT'])
  return {
    help: values.help ?? false,
    port: port ?? defaultPort,
    isPortChosen: port !== undefined,
    netPort: portFrom(values['net-port'] ?? environment['NET_PORT']) ?? 0,
    wsPort: portFrom(values['ws-port'] ?? environment['WS_PORT']) ?? 0,
  }
}

function portFrom(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new Error(`${JSON.stringify(text)} is not a port (0 to 65535)`)
  return port
}
