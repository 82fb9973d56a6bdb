import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { PageModel } from '../../model/page-model.ts'
import { roomOf, type Size } from './boxes.ts'
import { curveOf } from './curve.ts'
import { placeLabels, type DrawnEdge } from './edge-labels.ts'
import { GraphEdge } from './graph-edge.tsx'
import { GraphNode } from './graph-node.tsx'
import { Layout } from './layout.ts'
import { measureText } from './measure-text.ts'
import { nodeLabel } from './node-label.ts'

/** The network as a drawing that moves: nodes to choose by mouse or keyboard, edges with the traffic on them. */
export function Graph({ model }: { model: PageModel }) {
  const { nodes, edges } = model.network.value
  const box = useRef<HTMLDivElement>(null)
  const frame = useSignal<Size>({ width: 600, height: 380 })
  const layout = useMemo(() => new Layout(() => matchMedia('(prefers-reduced-motion: reduce)').matches), [])
  const measureName = useMemo(() => measureText('600 12.5px'), [])
  const measureWay = useMemo(() => measureText('11px'), [])
  const labels = new Map(nodes.map((node) => [node.id, nodeLabel(node, measureName)]))
  const { width, height } = frame.value
  // Figures change each second; only who is linked to whom, and under which name, moves anything.
  const names = nodes.map(({ id }) => `${id} ${labels.get(id)?.text ?? ''}`)
  const shape = [...names, ...edges.map(({ id }) => id), width, height].join(' ')
  useEffect(
    () => layout.arrange(model.network.value, (id) => labels.get(id)?.width ?? 0, frame.value),
    [shape],
  )
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width: wide, height: high } = entry?.contentRect ?? { width: 0, height: 0 }
      if (wide > 0 && high > 0) frame.value = { width: wide, height: high }
    })
    if (box.current !== null) observer.observe(box.current)
    return () => {
      observer.disconnect()
      layout.stop()
    }
  }, [])
  const picture = layout.picture.value
  const places = picture.rooms
  const chosen = model.chosen.value
  const drawn = edges.flatMap((edge): DrawnEdge[] => {
    const curve = curveOf(edge, places)
    return curve === undefined ? [] : [{ edge, curve }]
  })
  // Whom this page talks with first, then its other connections, then those of others.
  const rankOf = ({ edge: { from, to, isMine } }: DrawnEdge) =>
    from === chosen?.key || to === chosen?.key ? 0 : isMine ? 1 : 2
  const first = drawn.toSorted((a, b) => rankOf(a) - rankOf(b))
  const edgeLabels = placeLabels(first, [...places.values()].map(roomOf), measureWay)
  return (
    <div class="graph" ref={box}>
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${picture.width} ${picture.height}`}
        role="group"
        aria-label="The network, drawn"
      >
        <g class="registrations" aria-hidden="true">
          {nodes.map(({ id, behind }) => {
            const [here, there] = [places.get(id), places.get(behind ?? '')]
            if (here === undefined || there === undefined) return null
            return <line key={id} x1={here.x} y1={here.y} x2={there.x} y2={there.y} />
          })}
        </g>
        <g aria-hidden="true">
          {drawn.map(({ edge, curve }) => (
            <GraphEdge key={edge.id} edge={edge} curve={curve} label={edgeLabels.get(edge.id)} />
          ))}
        </g>
        {nodes.map((node) => {
          const place = places.get(node.id)
          const peer = model.company.peers.value.get(node.id)
          if (place === undefined) return null
          return (
            <GraphNode
              key={node.id}
              node={node}
              text={labels.get(node.id)?.text ?? ''}
              place={place}
              peer={peer}
              isChosen={peer !== undefined && peer === chosen}
              onChoose={peer === undefined ? undefined : () => model.choosePeer(peer)}
            />
          )
        })}
      </svg>
    </div>
  )
}
