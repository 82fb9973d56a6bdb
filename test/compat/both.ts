import { createRequire } from 'node:module'
import * as compat from '../../compat/index.ts'
import { Net } from '../../compat/plugins/net.ts'
import { Onion } from '../../compat/plugins/onion.ts'
import { Shs } from '../../compat/plugins/shs.ts'
import { UnixSocket } from '../../compat/plugins/unix-socket.ts'
import { Ws } from '../../compat/plugins/ws.ts'

/** The same program on both: only what it is made of differs. */
export interface Multiserver {
  readonly MultiServer: typeof compat.MultiServer
  readonly plugins: {
    readonly net: typeof Net
    readonly ws: typeof Ws
    readonly unix: typeof UnixSocket
    readonly onion: typeof Onion
  }
  readonly Shs: typeof Shs
}

const require = createRequire(import.meta.url)

export const ours: Multiserver = {
  MultiServer: compat.MultiServer,
  plugins: { net: Net, ws: Ws, unix: UnixSocket, onion: Onion },
  Shs,
}
export const theirs: Multiserver = {
  MultiServer: require('multiserver-3.8.2') as Multiserver['MultiServer'],
  plugins: {
    net: require('multiserver-3.8.2/plugins/net') as typeof Net,
    ws: require('multiserver-3.8.2/plugins/ws') as typeof Ws,
    unix: require('multiserver-3.8.2/plugins/unix-socket') as typeof UnixSocket,
    onion: require('multiserver-3.8.2/plugins/onion') as typeof Onion,
  },
  Shs: require('multiserver-3.8.2/plugins/shs') as typeof Shs,
}
