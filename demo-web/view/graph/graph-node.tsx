import type { NetworkNode } from '../../model/network.ts'
import type { Peer } from '../../model/peer.ts'
import { overWords } from '../../model/way-words.ts'
import { IconPaths } from '../icons.tsx'
import type { Place } from './layout.ts'

export interface GraphNodeProps {
  readonly node: NetworkNode
  /** What stands under it. */
  readonly text: string
  readonly place: Place
  /** Undefined for the hub and this page. */
  readonly peer: Peer | undefined
  readonly isChosen: boolean
  readonly onChoose: (() => void) | undefined
}

/** Somebody in the drawing: a button, when it is somebody to talk to. */
export function GraphNode({ node, text, place, peer, isChosen, onChoose }: GraphNodeProps) {
  const { kind, isMe } = node
  const unread = peer?.conversation.unread.value ?? 0
  const isOpen = peer !== undefined && peer.talks.value.length > 0
  return (
    <g
      class={`node node-${kind}${isMe ? ' node-me' : ''}${isOpen ? ' node-open' : ''}`}
      transform={`translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`}
      role={onChoose === undefined ? 'img' : 'button'}
      tabindex={onChoose === undefined ? undefined : 0}
      aria-pressed={onChoose === undefined ? undefined : isChosen}
      aria-label={labelOf(node, text, peer)}
      onClick={onChoose}
      onKeyDown={(event) => {
        if (onChoose === undefined || (event.key !== 'Enter' && event.key !== ' ')) return
        event.preventDefault()
        onChoose()
      }}
    >
      <circle class="node-ring" r="29" />
      <circle class="node-disc" r="23" />
      <g transform="translate(-12 -12)">
        <IconPaths name={kind} />
      </g>
      {unread > 0 && <circle class="node-unread" cx="18" cy="-18" r="7" />}
      <text class="node-name" y="42">
        {text}
      </text>
    </g>
  )
}

function labelOf({ kind, name, isMe }: NetworkNode, text: string, peer: Peer | undefined): string {
  if (isMe) return `You, ${name}`
  if (kind === 'hub') return 'The hub, which introduces peers to each other'
  if (kind === 'bridge') return 'A bridge, which passes on what it can’t read'
  const ways = peer?.talks.value.map(overWords).join(', ') ?? ''
  const unread = peer?.conversation.unread.value ?? 0
  return [
    // Who says what they see, and has it shortened, is understood too.
    text === name ? name : `${text} ${name}`,
    ...(kind === name ? [] : [kind]),
    ways === '' ? 'not connected' : `connected ${ways}`,
    ...(unread > 0 ? [`${unread} new`] : []),
  ].join(', ')
}
