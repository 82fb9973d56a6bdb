import { signal, type ReadonlySignal } from '@preact/signals'
import {
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
import { clamp, separate, type Roomy, type Size } from './boxes.ts'

export interface Place {
  readonly x: number
  readonly y: number
}

/** The drawing: where everyone stands, and its own size, which is larger than its frame when many are there. */
export interface Picture extends Size {
  readonly rooms: ReadonlyMap<string, Roomy>
}

interface Body extends SimulationNodeDatum, Roomy {
  readonly id: string
  x: number
  y: number
}

/** Where the nodes are: they push each other away, and edges pull; none covers another or its name. The hub stands above them all. */
export class Layout {
  readonly #picture = signal<Picture>({ width: 1, height: 1, rooms: new Map() })
  readonly #simulation: Simulation<Body, SimulationLinkDatum<Body>>
  readonly #isStill: () => boolean
  #size: Size = { width: 1, height: 1 }

  /** @param isStill whether nobody wants to see it move */
  constructor(isStill: () => boolean) {
    this.#isStill = isStill
    this.#simulation = forceSimulation<Body>([])
      .alphaMin(restingAlpha)
      .on('tick', () => {
        separate(this.#simulation.nodes(), this.#size, sweepsAtOnce)
        this.#show()
      })
      .on('end', () => this.#finish())
      .stop()
  }

  get picture(): ReadonlySignal<Picture> {
    return this.#picture
  }

  /**
   * Takes over what has come, gone or been linked. Who was there begins where it was.
   *
   * @param widthOf the pixels that a node's name takes
   */
  arrange({ nodes, edges }: Network, widthOf: (id: string) => number, frame: Size): void {
    const halfWidths = nodes.map(({ id }) => Math.max(discSpace, widthOf(id) / 2 + nameSpace))
    const needed = halfWidths.reduce((sum, half) => sum + 2 * half * (discSpace + belowDisc), 0) / fullest
    const zoom = Math.max(1, Math.sqrt(needed / (frame.width * frame.height)))
    const { width, height } = (this.#size = { width: frame.width * zoom, height: frame.height * zoom })
    const middle = { x: width / 2, y: (height + discSpace) / 2 }
    const before = new Map(this.#simulation.nodes().map((body) => [body.id, body]))
    const bodies = nodes.map(({ id }, index): Body => {
      const { x, y } = before.get(id) ?? onCircle(index, nodes.length, middle)
      const halfWidth = halfWidths[index] ?? discSpace
      const body = { id, halfWidth, above: discSpace, below: belowDisc, isFixed: id === hubId, x, y }
      return id === hubId ? { ...body, fx: middle.x, fy: discSpace, x: middle.x, y: discSpace } : body
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
          .strength(0.15),
      )
      // A wide picture is filled in its width.
      .force('x', forceX<Body>(middle.x).strength((0.05 * height) / width))
      .force('y', forceY<Body>(middle.y).strength(0.09))
      .alpha(0.9)
    if (!this.#isStill()) return void this.#simulation.restart()
    this.#simulation.stop()
    for (let tick = 0; tick < stillTicks; tick++) {
      separate(this.#simulation.tick().nodes(), this.#size, sweepsAtOnce)
    }
    this.#finish()
  }

  stop(): void {
    this.#simulation.stop()
  }

  /** Where they can't make room for each other the picture grows until they do: the forces are at rest. */
  #finish(): void {
    const bodies = this.#simulation.nodes()
    for (let grown = 0; grown < mostGrowths && !separate(bodies, this.#size, sweepsAtLast); grown++) {
      this.#size = { width: growth * this.#size.width, height: growth * this.#size.height }
      for (const body of bodies) {
        body.x *= growth
        if (!body.isFixed) body.y *= growth
        else body.fx = body.x
      }
    }
    this.#show()
  }

  #show(): void {
    const rooms = new Map(this.#simulation.nodes().map((body): [string, Roomy] => [body.id, { ...body }]))
    this.#picture.value = { ...this.#size, rooms }
  }
}

function onCircle(index: number, count: number, { x, y }: Place): Place {
  const angle = (2 * Math.PI * index) / Math.max(count, 1)
  return { x: x + 120 * Math.cos(angle), y: y + 90 * Math.sin(angle) }
}

/** Square pixels for which the forces were chosen. */
const roomyArea = 600 * 400
/** Around the middle of a node: its ring and a little. */
const discSpace = 31
/** Down to below its name. */
const belowDisc = 50
/** On either side of a name. */
const nameSpace = 5
/** The part of the picture that nodes with their names may cover. */
const fullest = 0.45
/** Enough to come to rest. */
const stillTicks = 200
/** Over all pairs, while it moves and once it rests. */
const sweepsAtOnce = 4
const sweepsAtLast = 20
/** What is too small grows by so much at a time. */
const growth = 1.03
/** Twenty times the size: far more than was ever needed. */
const mostGrowths = 100
/** Where the simulation ends: less moves nothing that one can see. */
const restingAlpha = 0.01
