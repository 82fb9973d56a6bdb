import { signal, type ReadonlySignal } from '@preact/signals'
import {
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
  type SimulationLinkDatum,
  type SimulationNodeDatum,
} from 'd3-force'
import { hubId, type Network } from '../../model/network.ts'

export interface Place {
  readonly x: number
  readonly y: number
}

interface Body extends SimulationNodeDatum {
  readonly id: string
}

/** Where the nodes are: they push each other away, and edges pull. The hub stands above them all. */
export class Layout {
  readonly #places = signal<ReadonlyMap<string, Place>>(new Map())
  readonly #simulation: Simulation<Body, SimulationLinkDatum<Body>>
  readonly #isStill: () => boolean
  #width = 0
  #height = 0

  /** @param isStill whether nobody wants to see it move */
  constructor(isStill: () => boolean) {
    this.#isStill = isStill
    this.#simulation = forceSimulation<Body>([])
      .force('collide', forceCollide<Body>(nodeSpace))
      .on('tick', () => this.#show())
      .stop()
  }

  get places(): ReadonlySignal<ReadonlyMap<string, Place>> {
    return this.#places
  }

  /** Takes over what has come, gone or been linked. Who was there begins where it was. */
  arrange({ nodes, edges }: Network, width: number, height: number): void {
    this.#width = width
    this.#height = height
    const [x, y] = [width / 2, margin + height / 2]
    const before = new Map(this.#simulation.nodes().map((body) => [body.id, body]))
    const bodies = nodes.map(({ id }, index) => {
      const body: Body = before.get(id) ?? { id, ...onCircle(index, nodes.length, { x, y }) }
      return id === hubId ? Object.assign(body, { fx: x, fy: margin - labelHeight }) : body
    })
    // Who is behind a bridge stands near it; the hub pulls nobody.
    const leads = nodes.map(({ id, behind = hubId }) => ({ from: behind, to: id }))
    const pulls = [...edges, ...leads].filter(({ from, to }) => from !== hubId && to !== hubId)
    const links = pulls.map(({ from, to }) => ({ source: from, target: to }))
    // On a small screen everything is nearer.
    const scale = clamp(Math.sqrt((width * height) / roomyArea), 0.6, 1.3)
    this.#simulation
      .nodes(bodies)
      .force(
        'charge',
        forceManyBody<Body>()
          .strength(-900 * scale ** 2)
          .distanceMax(340 * scale),
      )
      .force(
        'link',
        forceLink<Body, SimulationLinkDatum<Body>>(links)
          .id(({ id }) => id)
          .distance(150 * scale)
          .strength(0.25),
      )
      .force('x', forceX<Body>(x).strength(0.07))
      .force('y', forceY<Body>(y).strength(0.11))
      .alpha(0.9)
    if (this.#isStill()) {
      this.#simulation.stop().tick(stillTicks)
      this.#show()
    } else this.#simulation.restart()
  }

  stop(): void {
    this.#simulation.stop()
  }

  #show(): void {
    const places = this.#simulation.nodes().map((body): [string, Place] => {
      // What is pushed out of the picture stays at its edge.
      body.x = clamp(body.x ?? 0, margin, this.#width - margin)
      body.y = clamp(body.y ?? 0, margin - labelHeight, this.#height - margin)
      return [body.id, { x: body.x, y: body.y }]
    })
    this.#places.value = new Map(places)
  }
}

function onCircle(index: number, count: number, { x, y }: Place): Place {
  const angle = (2 * Math.PI * index) / Math.max(count, 1)
  return { x: x + 120 * Math.cos(angle), y: y + 90 * Math.sin(angle) }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(most, least))
}

/** Square pixels for which the forces were chosen. */
const roomyArea = 600 * 400
/** Around a node, with its name. */
const nodeSpace = 46
const margin = 54
const labelHeight = 16
/** Enough to come to rest. */
const stillTicks = 250
