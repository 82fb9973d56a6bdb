import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { PageModel } from '../../model/page-model.ts'
import { GraphEdge } from './graph-edge.tsx'
import { GraphNode } from './graph-node.tsx'
import { Layout } from './layout.ts'

/** The network as a drawing that moves: nodes to choose by mouse or keyboard, edges with the traffic on them. */
export function Graph({ model }: { model: PageModel }) {
  const { nodes, edges } = model.network.value
  const box = useRef<HTMLDivElement>(null)
  const size = useSignal({ width: 600, height: 380 })
  const layout = useMemo(() => new Layout(() => matchMedia('(prefers-reduced-motion: reduce)').matches), [])
  const { width, height } = size.value
  // Figures change each second; only who is linked to whom moves anything.
  const shape = [...nodes.map(({ id }) => id), ...edges.map(({ id }) => id), width, height].join(' ')
  useEffect(() => layout.arrange(model.network.value, width, height), [shape])
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width: wide, height: high } = entry?.contentRect ?? { width: 0, height: 0 }
      if (wide > 0 && high > 0) size.value = { width: wide, height: high }
    })
    if (box.current !== null) observer.observe(box.current)
    return () => {
      observer.disconnect()
      layout.stop()
    }
  }, [])
  const places = layout.places.value
  const chosen = model.chosen.value
  return (
    <div class="graph" ref={box}>
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
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
          {edges.map((edge) => (
            <GraphEdge
              key={edge.id}
              edge={edge}
              places={places}
              isLabelled={edge.isMine || edges.length <= fewEdges}
            />
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

/** With more of them only those of this page have words; colours and the table say the same. */
const fewEdges = 6
