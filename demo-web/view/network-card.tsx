import { formatBytes } from '../../cli/demo/text.ts'
import { wayWords } from '../model/way-words.ts'
import type { NetworkEdge } from '../model/network.ts'
import type { PageModel } from '../model/page-model.ts'
import { Graph } from './graph/graph.tsx'
import { wayOf } from './graph/way.ts'

/** The network as this page knows it: drawn, and as a table for those who don't see drawings. */
export function NetworkCard({ model }: { model: PageModel }) {
  return (
    <section class="card card-network" aria-labelledby="network-title">
      <div class="network-head">
        <h2 id="network-title">The network</h2>
        <Legend edges={model.network.value.edges} />
      </div>
      <Graph model={model} />
      <EdgeTable model={model} />
    </section>
  )
}

/** Only what is there. */
function Legend({ edges }: { edges: readonly NetworkEdge[] }) {
  const ways = new Map(edges.map(({ over, path }) => [wayOf(over, path), wayWords(over, path)]))
  return (
    <ul class="legend" aria-label="Colours">
      {[...ways]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([way, words]) => (
          <li key={way} data-way={way}>
            {words}
          </li>
        ))}
    </ul>
  )
}

function EdgeTable({ model }: { model: PageModel }) {
  const { nodes, edges } = model.network.value
  const names = new Map(nodes.map(({ id, name, isMe }) => [id, isMe ? `${name} (you)` : name]))
  return (
    <details class="more">
      <summary>As a table</summary>
      <div class="table" role="region" aria-label="Connections, table" tabIndex={0}>
        <table>
          <caption class="hidden">Who is connected to whom</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Way</th>
              <th scope="col">Protocol</th>
              <th scope="col">Traffic</th>
            </tr>
          </thead>
          <tbody>
            {edges.map(({ id, from, to, over, path, strength, bytesPerSecond }) => (
              <tr key={id}>
                <th scope="row">{names.get(from)}</th>
                <td>{names.get(to)}</td>
                <td>{wayWords(over, path)}</td>
                <td>{strength === 2 ? 'shs2' : 'shs'}</td>
                <td>{formatBytes(bytesPerSecond)}/s</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">The peers of this lobby tell it whom they are connected to, for this drawing alone.</p>
    </details>
  )
}
