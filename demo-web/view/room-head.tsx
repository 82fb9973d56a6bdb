import { absentees, joinRoom, membersOf } from '../model/room.ts'
import { overWords } from '../model/way-words.ts'
import type { Company } from '../model/company.ts'
import type { Peer } from '../model/peer.ts'
import { wayOf, type Way } from './graph/way.ts'
import { Icon } from './icons.tsx'

/** Who hears what is said in the room, and by which way. */
export function RoomHead({ company }: { company: Company }) {
  const members = membersOf(company)
  const absent = absentees(company)
  const isJoining = absent.some(({ dial }) => dial.value.state === 'dialing')
  return (
    <header class="talk-head">
      <div class="talk-title">
        <span class="face face-room">
          <Icon name="room" />
        </span>
        <div>
          <h2 id="talk-title">Room</h2>
          <p class="quiet">
            {members.length === 0 ? 'Nobody hears you yet' : `${members.length} will hear you`}
          </p>
        </div>
        {absent.length > 0 && (
          <button
            type="button"
            class="primary"
            aria-disabled={isJoining}
            onClick={() => void joinRoom(company)}
          >
            {isJoining ? 'Connecting…' : `Connect to all ${absent.length}`}
          </button>
        )}
      </div>
      {members.length > 0 && (
        <ul class="members" aria-label="Who hears you">
          {byWay(members).map(({ way, words, names }) => (
            <li key={words} class="member" data-way={way}>
              <span class="quiet">{words}</span> {names.join(', ')}
            </li>
          ))}
        </ul>
      )}
    </header>
  )
}

interface Members {
  readonly way: Way
  readonly words: string
  readonly names: readonly string[]
}

/** Each way once, with all whom it leads to. */
function byWay(members: readonly Peer[]): readonly Members[] {
  const groups = new Map<string, Members>()
  for (const { best, about } of members) {
    if (best === undefined) continue
    const words = overWords(best)
    const names = [...(groups.get(words)?.names ?? []), about.value.name]
    groups.set(words, { way: wayOf(best.over, best.path.value), words, names })
  }
  return [...groups.values()]
}
