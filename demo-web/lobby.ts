import type { Talk } from '../cli/demo/talk.ts'
import type { Company } from './company.ts'

export interface LobbyOptions {
  readonly company: Company
  readonly onJoined: () => void
  /** @param why in words */
  readonly onAway: (why: string) => void
}

/** Keeps this page in the lobby: dials it, and again whenever it was lost. */
export async function joinLobby(options: LobbyOptions): Promise<void> {
  const { company, onJoined, onAway } = options
  let pauseMs = shortestPauseMs
  for (;;) {
    try {
      const talk = await company.dial(await lobbyAddress(), {
        onRoster: (entries) => company.setRoster(entries),
      })
      onJoined()
      pauseMs = shortestPauseMs
      await ended(talk)
      onAway('The lobby is gone.')
    } catch {
      onAway('The lobby can not be reached.')
    }
    company.setRoster([])
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }
}

/** Asked anew each time: a server that was started again has another key. */
async function lobbyAddress(): Promise<string> {
  const response = await fetch('/demo.json', { cache: 'no-store' })
  const answer: unknown = await response.json()
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('lobby' in answer) ||
    typeof answer.lobby !== 'string'
  ) {
    throw new Error('this hub has no lobby')
  }
  return answer.lobby
}

function ended(talk: Talk): Promise<void> {
  return talk.connection.closed
}

const shortestPauseMs = 1_000
const longestPauseMs = 15_000
