import type { WebSocket } from 'ws'
import type { SocketId } from './peer.ts'

/**
 * Resolves once `lines`, all of which are closing, are gone, of which `hear` is to tell. ws ends most of them within
 * `closeMs`; after twice that nobody is waited for, since an app's own WebSockets may have another closing timeout.
 */
export async function untilGone(
  lines: ReadonlyMap<SocketId, { readonly socket: WebSocket }>,
  closeMs: number,
  hear: (onGone: () => void) => void,
): Promise<void> {
  if (lines.size === 0) return
  const overdue = setTimeout(() => {
    for (const { socket } of lines.values()) socket.terminate()
  }, 2 * closeMs)
  await new Promise<void>(hear)
  clearTimeout(overdue)
}
