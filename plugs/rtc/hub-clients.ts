import { HubSocket } from './hub-socket.ts'

/**
 * Sockets for dialing, without an identity: dials through one hub at the same time share one, and it is closed with
 * the last. One for the process, since hubs bound the sockets of an address.
 */
const sockets = new Map<string, { socket: HubSocket; users: number }>()

/** A socket to the hub and the function that gives it back; one that seems dead is lent to nobody else. */
export function borrowHubSocket(url: string): {
  socket: HubSocket
  giveBack: (seemsDead?: boolean) => void
} {
  const shared = sockets.get(url) ?? open(url)
  shared.users += 1
  let mine = true
  return {
    socket: shared.socket,
    giveBack(seemsDead = false) {
      if (!mine) return
      mine = false
      shared.users -= 1
      if (seemsDead || shared.users === 0) forget(url, shared.socket)
      if (shared.users === 0) shared.socket.close()
    },
  }
}

function open(url: string): { socket: HubSocket; users: number } {
  const socket: HubSocket = new HubSocket(url, { onClose: () => forget(url, socket) })
  const shared = { socket, users: 0 }
  sockets.set(url, shared)
  return shared
}

function forget(url: string, socket: HubSocket): void {
  if (sockets.get(url)?.socket === socket) sockets.delete(url)
}
