import { batch } from '@preact/signals'
import { FileOnItsWay } from './file-on-its-way.ts'
import { overWords } from './way-words.ts'
import type { FileSource } from '../../cli/demo/outgoing-file.ts'
import type { Company } from './company.ts'
import type { Peer } from './peer.ts'

/** Those who hear what is said in the room: everyone whom this page is connected to. */
export function membersOf({ peers }: Company): Peer[] {
  return [...peers.value.values()].filter(({ talks }) => talks.value.length > 0)
}

/** Those in the lobby who could be there and are not. */
export function absentees({ peers }: Company): Peer[] {
  return [...peers.value.values()].filter(
    ({ about, talks }) => about.value.isListed && talks.value.length === 0 && about.value.address !== '',
  )
}

/** Connects to everyone in the lobby, each by whichever way there is. What fails stands at the peer. */
export async function joinRoom(company: Company): Promise<void> {
  await Promise.all(
    absentees(company)
      .slice(0, mostDials)
      .map((peer) => company.connect(peer)),
  )
}

export function sayInRoom(company: Company, text: string): void {
  const members = membersOf(company)
  for (const { best } of members) best?.talk.say(text, true).catch(() => undefined)
  const over = members.length === 0 ? 'nobody heard it' : `to ${members.length}: ${waysTo(members)}`
  company.room.add({ kind: 'text', text, from: 'me', over })
}

/** Each gets it over a connection of its own. */
export function sendFileInRoom(company: Company, source: FileSource): void {
  batch(() => {
    for (const { best, about } of membersOf(company)) {
      if (best === undefined) continue
      const file = new FileOnItsWay(best.talk.sendFile(source, true))
      company.room.add({ kind: 'file', file, from: 'me', over: `to ${about.value.name} ${overWords(best)}` })
    }
  })
}

/** `over ws, over rtc, direct` with each way once. */
function waysTo(members: readonly Peer[]): string {
  const ways = members.flatMap(({ best }) => (best === undefined ? [] : [overWords(best)]))
  return [...new Set(ways)].join('; ')
}

/** At once: each is an introduction and a WebRTC connection. */
const mostDials = 12
