import type { WebRtc } from '#wrtc'
import { gather } from './gather.ts'
import type { Servers } from './servers.ts'

/** The address that each TURN server, by its URL, relays from; those that gave none are left out. */
export type TurnExamination = ReadonlyMap<string, string>

export async function examineTurn(
  webRtc: WebRtc,
  { turn }: Servers,
  signal: AbortSignal,
): Promise<TurnExamination> {
  const relayed = await Promise.all(
    turn.map(async ({ url, server }): Promise<[string, string][]> => {
      const found = await gather(
        webRtc,
        { iceServers: [server], iceTransportPolicy: 'relay' },
        { type: 'relay' },
        signal,
      )
      const relay = found.find(({ type }) => type === 'relay')
      return relay === undefined ? [] : [[url, relay.address]]
    }),
  )
  return new Map(relayed.flat())
}
