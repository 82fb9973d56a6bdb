import { Company, type Peer } from './company.ts'
import { joinLobby } from './lobby.ts'
import { loadOwnKey, type OwnKey } from './own-key.ts'
import { Conversation } from './view/conversation.ts'
import { offerDialForm } from './view/dial-form.ts'
import { stageWords } from './view/dial-progress.ts'
import { byId, isNarrow, setText } from './view/dom.ts'
import { clearError, showError } from './view/error-box.ts'
import { PeerList } from './view/peer-list.ts'
import { showYou } from './view/you-card.ts'
import { describeError } from '../cli/demo/words.ts'
import type { FileSource } from '../cli/demo/outgoing-file.ts'

startPage().catch((thrown: unknown) => {
  setStatus('bad', describeError(thrown).summary)
})

async function startPage(): Promise<void> {
  const ownKey = await loadOwnKey()
  // A hub that was lost is known to be back when somebody comes from there.
  let isReachable = false
  const lobbyWords = () => (isReachable ? 'In the lobby, and reachable over WebRTC' : 'In the lobby')
  const company = new Company(ownKey.keys, location.origin.replace(/^http/, 'ws'), {
    onPeer: (peer) => {
      list.update(peer, conversation.peer === peer)
      if (conversation.peer === peer) conversation.update()
    },
    onEntry: (peer, entry) => {
      if (conversation.peer === peer) conversation.add(entry)
      if (entry.kind !== 'note' && entry.kind !== 'mine' && !isInSight(peer)) peer.unread += 1
      list.update(peer, conversation.peer === peer)
    },
    onListenError: (error) => {
      if (error.code === 'LISTEN_FAILED') return
      isReachable = false
      setStatus('bad', describeError(error).summary)
    },
    onReached: () => {
      if (isReachable) return
      isReachable = true
      setStatus('good', lobbyWords())
    },
  })

  const conversation = new Conversation({
    onSay: (peer, text) => company.say(peer, text),
    onFile: (peer, file) => company.sendFile(peer, sourceOf(file)),
    onConnect: (peer) => void connect(peer),
    onBack: () => {
      document.body.dataset['view'] = 'peers'
      byId('peers', HTMLElement).querySelector<HTMLElement>('[aria-current=true]')?.focus()
    },
  })
  const list = new PeerList((peer) => {
    choose(peer)
    if (peer.talks.length === 0) void connect(peer)
  })

  function choose(peer: Peer): void {
    const before = conversation.peer
    document.body.dataset['view'] = 'talk'
    peer.unread = 0
    clearError(byId('talk-error', HTMLElement))
    conversation.open(peer)
    conversation.focus()
    if (before !== undefined) list.update(before, false)
    list.update(peer, true)
  }

  function isInSight(peer: Peer): boolean {
    return conversation.peer === peer && (!isNarrow() || document.body.dataset['view'] === 'talk')
  }

  /** Once for a peer at a time. */
  const connecting = new Set<Peer>()
  async function connect(peer: Peer): Promise<void> {
    if (connecting.has(peer)) return
    connecting.add(peer)
    const progress = byId('talk-progress', HTMLElement)
    const error = byId('talk-error', HTMLElement)
    clearError(error)
    setText(progress, 'Connecting…')
    try {
      await company.dial(peer.address, {
        onStage: (stage) => conversation.peer === peer && setText(progress, stageWords[stage]),
      })
      if (conversation.peer === peer) conversation.focus()
    } catch (thrown) {
      if (conversation.peer === peer) showError(error, thrown)
    } finally {
      connecting.delete(peer)
      setText(progress, '')
    }
  }

  offerDialForm(company, choose)
  addEventListener('pagehide', () => company.leave())
  addEventListener('pageshow', (event) => {
    // A page out of the browser's cache has lost every connection.
    if (event.persisted) location.reload()
  })
  isReachable = await listen(company, ownKey)
  void joinLobby({
    company,
    onJoined: () => setStatus('good', lobbyWords()),
    onAway: (why) => setStatus('bad', `${why} Trying again…`),
  })
}

/** Without WebRTC, or without the hub, a page can still dial what speaks WebSocket. */
async function listen(company: Company, { note }: OwnKey): Promise<boolean> {
  const name = company.ownName
  showYou({ name, address: '', note })
  try {
    await company.listen()
    showYou({ name, address: company.address, note })
    return true
  } catch (thrown) {
    const why = `${describeError(thrown).summary} Nobody can dial this page, but it can dial others over WebSocket.`
    showYou({ name, address: '', note: `${why} ${note}` })
    return false
  }
}

function sourceOf(file: File): FileSource {
  return {
    name: file.name,
    size: file.size,
    read: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()),
  }
}

function setStatus(state: 'good' | 'bad', text: string): void {
  const status = byId('status', HTMLElement)
  status.dataset['state'] = state
  setText(status, text)
}
