/**
 * Where the lobby of the demo is, as its hub tells. Asked anew each time: a server that was started again has other ports.
 * @param hub `http://…`
 * @throws when it can't be reached, or tells of none
 */
export async function findLobby(hub: string): Promise<string> {
  const response = await fetch(new URL('/demo.json', hub), { cache: 'no-store' })
  const answer: unknown = await response.json()
  const lobby = typeof answer === 'object' && answer !== null && 'lobby' in answer ? answer.lobby : undefined
  if (typeof lobby !== 'string') throw new Error('this hub has no lobby')
  return lobby
}
