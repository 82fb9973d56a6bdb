import { absentees, joinRoom, membersOf } from '../model/room.ts'
import { overWords } from '../model/way-words.ts'
import type { Company } from '../model/company.ts'
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
          {members.map(({ key, about, best }) => (
            <li key={key} class="member">
              <strong>{about.value.name}</strong> {best === undefined ? '' : overWords(best)}
            </li>
          ))}
        </ul>
      )}
    </header>
  )
}
