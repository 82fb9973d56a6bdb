import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import type { Conversation, LogEntry } from '../model/conversation.ts'
import { FileEntry } from './file-entry.tsx'

/** What was said. Its end stays in sight, unless somebody has scrolled away from it. */
export function Log({ conversation, empty }: { conversation: Conversation; empty: string }) {
  const list = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  const entries = conversation.log.value
  const toEnd = () => {
    if (list.current !== null && isAtEnd.current) list.current.scrollTop = list.current.scrollHeight
  }
  useLayoutEffect(() => {
    if (entries.at(-1)?.from === 'me') isAtEnd.current = true
    toEnd()
  }, [entries])
  useEffect(() => {
    // A keyboard on the screen, more connections, a picture that has come.
    const observer = new ResizeObserver(toEnd)
    if (list.current !== null) observer.observe(list.current)
    return () => observer.disconnect()
  }, [])
  return (
    <div
      class="log"
      role="log"
      aria-label="Conversation"
      tabIndex={0}
      ref={list}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 80
      }}
    >
      {entries.length === 0 && <p class="log-empty">{empty}</p>}
      <ol>
        {entries.map((entry) => (
          <Entry key={entry.id} entry={entry} onGrown={toEnd} />
        ))}
      </ol>
    </div>
  )
}

function Entry({ entry, onGrown }: { entry: LogEntry; onGrown: () => void }) {
  if (entry.kind === 'note') return <li class="entry entry-note">{entry.text}</li>
  const whose = entry.from === 'me' ? 'entry-mine' : 'entry-theirs'
  const time = entry.at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  return (
    <li class={`entry ${whose} entry-${entry.kind}`}>
      {entry.from !== 'me' && <strong class="entry-from">{entry.from}</strong>}
      {entry.kind === 'text' ? <p>{entry.text}</p> : <FileEntry file={entry.file} onGrown={onGrown} />}
      <small>
        {time} {entry.over}
      </small>
    </li>
  )
}
