import { HubSocket } from './hub-socket.ts'
import type { Scope } from '../../core/types.ts'

/**
 * Sockets for dialing, without an identity: dials through one hub at the same time share one, and it is closed with
 * the last. One for the process, since hubs bound the sockets of an address.
 */
const sockets = new Map<string, { socket: HubSocket; users: number }>()

/**
 * A socket to the hub, which may be as near as `reach` says, and the function that gives it back; one that seems dead is
 * lent to nobody else. `isNew`: not the one that others have, which gets nowhere; who comes later shares the new one.
 */
export function borrowHubSocket(
  url: string,
  { reach, isNew = false }: { reach?: Scope | undefined; isNew?: boolean | undefined } = {},
): { socket: HubSocket; giveBack: (seemsDead?: boolean) => void } {
  // What one dial may reach, another may not.
  const name = `${reach ?? 'anywhere'} ${url}`
  const shared = (isNew ? undefined : sockets.get(name)) ?? open(name, url, reach)
  shared.users += 1
  let mine = true
  return {
    socket: shared.socket,
    giveBack(seemsDead = false) {
      if (!mine) return
      mine = false
      shared.users -= 1
      if (seemsDead || shared.users === 0) forget(name, shared.socket)
      if (shared.users === 0) shared.socket.close()
    },
  }
}

function open(name: string, url: string, reach: Scope | undefined): { socket: HubSocket; users: number } {
  const socket: HubSocket = new HubSocket(url, { onClose: () => forget(name, socket) }, { reach })
  const shared = { socket, users: 0 }
  sockets.set(name, shared)
  return shared
}

function forget(name: string, socket: HubSocket): void {
  if (sockets.get(name)?.socket === socket) sockets.delete(name)
}
