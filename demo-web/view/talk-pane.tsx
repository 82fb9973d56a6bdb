import { useSignal } from '@preact/signals'
import type { FileSource } from '../../cli/demo/outgoing-file.ts'
import { sayInRoom, sendFileInRoom } from '../model/room.ts'
import type { PageModel } from '../model/page-model.ts'
import { Compose } from './compose.tsx'
import { Log } from './log.tsx'
import { PeerHead } from './peer-head.tsx'
import { RoomHead } from './room-head.tsx'

/** The room, or the talk with the chosen peer: who hears it, what was said, and where to say more. */
export function TalkPane({ model }: { model: PageModel }) {
  const { company, conversation } = model
  const peer = model.chosen.value
  const isDropping = useSignal(false)
  const send = (files: Iterable<File>) => {
    for (const file of files) {
      if (peer === undefined) sendFileInRoom(company, sourceOf(file))
      else company.sendFile(peer, sourceOf(file))
    }
  }
  return (
    <section
      id="talk"
      class="talk card"
      tabIndex={-1}
      aria-labelledby="talk-title"
      data-dropping={isDropping.value}
      onDragOver={(event) => {
        if (event.dataTransfer?.types.includes('Files') !== true) return
        event.preventDefault()
        isDropping.value = true
      }}
      onDragLeave={() => (isDropping.value = false)}
      onDrop={(event) => {
        event.preventDefault()
        isDropping.value = false
        send(event.dataTransfer?.files ?? [])
      }}
    >
      {peer === undefined ? (
        <RoomHead company={company} />
      ) : (
        <PeerHead key={peer.key} peer={peer} onConnect={() => void company.connect(peer)} />
      )}
      <Log
        key={peer?.key ?? 'room'}
        conversation={conversation}
        empty={peer === undefined ? roomEmpty : peerEmpty}
      />
      <Compose
        key={`compose ${peer?.key ?? 'room'}`}
        to={peer === undefined ? 'the room' : peer.about.value.name}
        isReady={peer === undefined || peer.talks.value.length > 0}
        onSay={(text) => (peer === undefined ? sayInRoom(company, text) : company.say(peer, text))}
        onFiles={send}
      />
    </section>
  )
}

const roomEmpty =
  'What you write here goes to everyone you are connected to, each in the way that works: by WebSocket to a server, by WebRTC to a desktop that has no open port, through a bridge to an old program.'

const peerEmpty = 'Nothing was said yet. Write a line, or drop a file here.'

function sourceOf(file: File): FileSource {
  return {
    name: file.name,
    size: file.size,
    read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()),
  }
}
